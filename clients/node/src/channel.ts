/** How the client connects: the options of its channel. */

import type { ChannelOptions } from '@grpc/grpc-js';

import { staysHere } from './access.js';
import { VERSION } from './version.js';

export const DEFAULT_TARGET = '127.0.0.1:8500';

// A photo painted twice does no harm, and a job has a request id, so a call that met no server, or lost it, may be made
// again. Nothing else is: a server that refuses a request would refuse it again.
const SERVICE_CONFIG = {
  // One photo costs the server so much that a connection to a single one of several replicas would be a bottleneck.
  loadBalancingConfig: [{ round_robin: {} }],
  methodConfig: [
    {
      name: [{ service: 'impasto.v1.Stylizer' }, { service: 'google.longrunning.Operations' }],
      retryPolicy: {
        maxAttempts: 5, // over about 3 s; gRPC allows no more
        initialBackoff: '0.1s',
        maxBackoff: '2s',
        backoffMultiplier: 3,
        retryableStatusCodes: ['UNAVAILABLE'],
      },
    },
    // A stream is opened again by us, with the photos that have no answer: gRPC would keep and send all of it.
    { name: [{ service: 'impasto.v1.Stylizer', method: 'StylizeStream' }] },
  ],
};

const MAX_REPLY = 256 * 2 ** 20; // bytes; a PNG of 50 million pixels has some 150 MB. gRPC's own limit is 4 MiB
// Bytes; gRPC does not retry a request that these cannot hold, silently, and by default they hold 1 MiB and 16 MiB.
const RETRY_BUFFER = 256 * 2 ** 20;
const RETRY_BUFFERS = 1024 * 2 ** 20;

const OPTIONS: ChannelOptions = {
  'grpc.service_config': JSON.stringify(SERVICE_CONFIG),
  'grpc.enable_retries': 1,
  'grpc.per_rpc_retry_buffer_size': RETRY_BUFFER,
  'grpc.retry_buffer_size': RETRY_BUFFERS,
  'grpc.max_receive_message_length': MAX_REPLY,
  // A connection that died without a word is found by pings. They go only while a call is under way.
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.keepalive_permit_without_calls': 0,
  // gRPC's own backoff between attempts to connect, from 1 s to 2 minutes, outlasts a server's restart: by the time that
  // the next one goes, clients have to know that the one before is back.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  // Under Kubernetes a server that is replaced has another address, and a rolling update can replace all of them within
  // the 30 s after which gRPC would ask for a name's addresses again.
  'grpc.dns_min_time_between_resolutions_ms': 1_000,
  'grpc.primary_user_agent': `impasto-node/${VERSION}`,
};

/** Return the options of a channel to a gRPC target. */
export function channelOptions(target: string): ChannelOptions {
  // By itself gRPC asks the proxy in http_proxy for every target that no_proxy does not name, even for this machine: a
  // token in plain text would leave it.
  return { ...OPTIONS, 'grpc.enable_http_proxy': staysHere(target) ? 0 : 1 };
}

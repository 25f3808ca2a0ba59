/** Calls: protobuf-es's messages over grpc-js's channel. */

import { fromBinary, toBinary, type DescMessage, type DescMethod, type MessageShape } from '@bufbuild/protobuf';
import {
  Client as Channel,
  Metadata,
  type CallOptions as Deadline,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ServiceError,
} from '@grpc/grpc-js';

import { authorization, channelCredentials } from './access.js';
import { shown } from './checking.js';
import { channelOptions } from './channel.js';
import { ClientClosed, InvalidRequest } from './errors.js';
import type { Following } from './following.js';
import type { ClientOptions } from './options.js';
import { Patience, sleep, type Terms } from './patience.js';
import { buffer } from './results.js';

const SCHEMES = new Set(['dns', 'ipv4', 'ipv6', 'unix', 'unix-abstract']);
const OPERATION_KEY = 'impasto-operation'; // the initial metadata of a call that has made a job

/** A method of a service, as generated. */
export type Method<Input extends DescMessage, Output extends DescMessage> = DescMethod & {
  input: Input;
  output: Output;
};

/** A call that can be ended. */
interface Cancellable {
  cancel(): void;
}

/** A channel, and the calls that are under way on it. */
export class Connection {
  readonly target: string;
  readonly #channel: Channel;
  readonly #authorization: string | undefined;
  readonly #calls = new Set<Cancellable>();
  #closed = false;

  constructor(target: string, options: ClientOptions) {
    checkTarget(target);
    this.target = target;
    this.#authorization = authorization(target, options);
    this.#channel = new Channel(target, channelCredentials(options), channelOptions(target));
  }

  /** Return a call's answer, however many tries it takes within its terms. */
  async unary<Input extends DescMessage, Output extends DescMessage>(
    method: Method<Input, Output>,
    request: MessageShape<Input>,
    patience: Patience,
    signal: AbortSignal | undefined,
  ): Promise<MessageShape<Output>> {
    for (;;) {
      let made: string | undefined;
      try {
        return await this.#try(method, request, patience.deadline, signal, (operation) => (made = operation));
      } catch (error) {
        this.refuse(signal);
        if (!isServiceError(error)) throw error;
        await sleep(patience.pauseAfter(error, made), signal);
      }
    }
  }

  /** Yield what a stream brings; it is opened again whenever it breaks, until it is complete. */
  async *follow<Output extends DescMessage, Item>(
    following: Following<DescMessage, Output, Item>,
    patience: Patience,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Item, void, undefined> {
    while (!following.complete) {
      this.refuse(signal);
      const call = this.#serverStream(following.method, following.request, patience.deadline);
      const leave = this.#entered(call, signal);
      let pause: number;
      try {
        for await (const reply of call) {
          patience.met();
          yield* following.take(reply as MessageShape<Output>);
        }
        following.close();
        pause = patience.pause();
      } catch (error) {
        this.refuse(signal);
        if (!isServiceError(error)) throw error;
        pause = following.complete ? 0 : patience.pauseAfter(error, undefined);
      } finally {
        leave();
        call.cancel();
      }
      if (!following.complete) await sleep(pause, signal);
    }
  }

  /** Open a stream in both directions. Its end is whoever's reads it; `leave` is to be called then. */
  bidi<Input extends DescMessage, Output extends DescMessage>(
    method: Method<Input, Output>,
    signal: AbortSignal | undefined,
  ): { call: ClientDuplexStream<MessageShape<Input>, MessageShape<Output>>; leave: () => void } {
    this.refuse(signal);
    const { path, write, read } = wire(method);
    const call = this.#channel.makeBidiStreamRequest(path, write, read, this.#metadata(), {});
    return { call, leave: this.#entered(call, signal) };
  }

  patience(terms: Terms): Patience {
    return new Patience(this.target, terms);
  }

  /** Throw where no call can be made, or gone on with, any more. */
  refuse(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    if (this.#closed) throw new ClientClosed();
  }

  /** End the connection, and every call that is under way. */
  close(): void {
    this.#closed = true;
    for (const call of [...this.#calls]) call.cancel();
    this.#channel.close();
  }

  #try<Input extends DescMessage, Output extends DescMessage>(
    method: Method<Input, Output>,
    request: MessageShape<Input>,
    deadline: Date,
    signal: AbortSignal | undefined,
    onMade: (operation: string) => void,
  ): Promise<MessageShape<Output>> {
    this.refuse(signal);
    const { path, write, read } = wire(method);
    return new Promise((resolve, reject) => {
      const options: Deadline = { deadline };
      const call = this.#channel.makeUnaryRequest(
        path,
        write,
        read,
        request,
        this.#metadata(),
        options,
        (error, reply) => {
          leave();
          if (error) reject(error);
          else resolve(reply as MessageShape<Output>);
        },
      );
      const leave = this.#entered(call, signal);
      call.on('metadata', (metadata: Metadata) => {
        const [operation] = metadata.get(OPERATION_KEY);
        if (operation) onMade(String(operation));
      });
    });
  }

  #serverStream<Input extends DescMessage, Output extends DescMessage>(
    method: Method<Input, Output>,
    request: MessageShape<Input>,
    deadline: Date,
  ): ClientReadableStream<MessageShape<Output>> {
    const { path, write, read } = wire(method);
    const call = this.#channel.makeServerStreamRequest(path, write, read, request, this.#metadata(), { deadline });
    call.on('error', () => undefined); // whoever reads is told; what comes after that concerns nobody
    return call;
  }

  /** Let a signal, and `close`, end a call; return what ends that. */
  #entered(call: Cancellable, signal: AbortSignal | undefined): () => void {
    const cancel = (): void => call.cancel();
    this.#calls.add(call);
    signal?.addEventListener('abort', cancel, { once: true });
    return () => {
      this.#calls.delete(call);
      signal?.removeEventListener('abort', cancel);
    };
  }

  #metadata(): Metadata {
    const metadata = new Metadata();
    if (this.#authorization) metadata.set('authorization', this.#authorization);
    return metadata;
  }
}

function checkTarget(target: unknown): void {
  if (typeof target !== 'string' || !target) {
    throw new InvalidRequest('target', `${shown(target)} is none; give host:port, such as '127.0.0.1:8500'`);
  }
  const scheme = /^([a-z0-9+.-]+):\/\//i.exec(target)?.[1];
  if (scheme && !SCHEMES.has(scheme)) {
    throw new InvalidRequest(
      'target',
      `'${target}' is no target of gRPC; give host:port, such as 'painter:443', and { tls: true } for https`,
    );
  }
}

/** Tell whether this is how a call ended. */
export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'details' in error;
}

function wire<Input extends DescMessage, Output extends DescMessage>(method: Method<Input, Output>) {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    write: (message: MessageShape<Input>) => buffer(toBinary(method.input, message)),
    read: (data: Buffer) => fromBinary(method.output, data),
  };
}

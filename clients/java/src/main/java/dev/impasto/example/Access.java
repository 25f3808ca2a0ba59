package dev.impasto.example;

import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Where the server is, and as whom to call it. */
final class Access {
  /** Bytes; gRPC's own limit is 4 MiB, and a large PNG has more. */
  private static final int MAX_REPLY = 256 << 20;

  /** Bytes; a request that is larger than gRPC's 1 MiB for a call would silently not be retried. */
  private static final long RETRY_BUFFER = 256L << 20;

  /**
   * A photo painted twice does no harm, and a job has a request id: so a call that met no server, or lost it, is made
   * again. A stream would have to be kept and sent anew as a whole, so it is not. Numbers have to be doubles here.
   */
  private static final Map<String, ?> SERVICE_CONFIG =
      Map.of(
          "methodConfig",
          List.of(
              Map.of(
                  "name",
                  List.of(
                      Map.of("service", "impasto.v1.Stylizer"), Map.of("service", "google.longrunning.Operations")),
                  "retryPolicy",
                  Map.of(
                      "maxAttempts", 5.0,
                      "initialBackoff", "0.1s",
                      "maxBackoff", "2s",
                      "backoffMultiplier", 3.0,
                      "retryableStatusCodes", List.of("UNAVAILABLE"))),
              Map.of("name", List.of(Map.of("service", "impasto.v1.Stylizer", "method", "StylizeStream")))));

  String target = "127.0.0.1:8500";
  boolean tls;
  Path ca;
  Path tokenFile;

  /**
   * Makes a channel, which connects with the first call, and again whenever the connection breaks. One is enough for a
   * whole program: any number of threads may call over it.
   */
  ManagedChannel connect() throws IOException {
    var builder =
        Grpc.newChannelBuilder(target, credentials())
            .maxInboundMessageSize(MAX_REPLY)
            .defaultLoadBalancingPolicy("round_robin")
            .defaultServiceConfig(SERVICE_CONFIG)
            .enableRetry()
            .perRpcBufferLimit(RETRY_BUFFER)
            .retryBufferSize(RETRY_BUFFER)
            // A connection that died without a word is found by pings, while a call is under way.
            .keepAliveTime(30, TimeUnit.SECONDS)
            .keepAliveTimeout(10, TimeUnit.SECONDS);
    if (tokenFile != null) {
      builder.intercept(MetadataUtils.newAttachHeadersInterceptor(authorization()));
    }
    return builder.build();
  }

  private ChannelCredentials credentials() throws IOException {
    if (ca != null) {
      return TlsChannelCredentials.newBuilder().trustManager(ca.toFile()).build();
    }
    return tls ? TlsChannelCredentials.create() : InsecureChannelCredentials.create();
  }

  private Metadata authorization() throws IOException {
    if (!tls && ca == null) {
      throw new IllegalArgumentException("a token in plain text can be read on the way; give -tls or -ca too");
    }
    var headers = new Metadata();
    var key = Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
    headers.put(key, "Bearer " + Files.readString(tokenFile).strip());
    return headers;
  }
}

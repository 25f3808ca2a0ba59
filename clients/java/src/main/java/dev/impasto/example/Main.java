package dev.impasto.example;

import dev.impasto.v1.StylizerGrpc;
import io.grpc.Deadline;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.format.DateTimeParseException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.TimeUnit;

/** Calls an Impasto server: paints a photo, a batch of photos, or a photo in the hand of any painting. */
public final class Main {
  private static final String USAGE =
      """
      give: [OPTIONS] stylize STYLE PHOTO OUT
            [OPTIONS] batch STYLE FOLDER PHOTO...
            [OPTIONS] paint PAINTING PHOTO OUT
        -server HOST:PORT  where the server is; 127.0.0.1:8500 by default
        -tls               use TLS, and trust the authorities of this machine
        -ca FILE           use TLS, and trust the authorities in this PEM file
        -token-file FILE   a file that holds the token to call with; needs TLS
        -timeout 60s       how long all of it may take""";

  private Main() {}

  public static void main(String[] arguments) throws Exception {
    try {
      run(new ArrayDeque<>(List.of(arguments)));
    } catch (StatusRuntimeException error) {
      fail(Errors.explain(error));
    } catch (IOException error) {
      fail(error.toString());
    } catch (IllegalArgumentException error) {
      fail(error.getMessage());
    } catch (DateTimeParseException | NoSuchElementException error) {
      fail(USAGE);
    }
  }

  private static void run(Deque<String> arguments) throws Exception {
    var access = new Access();
    var timeout = Duration.ofMinutes(1);
    while (!arguments.isEmpty() && arguments.peek().startsWith("-")) {
      switch (arguments.pop()) {
        case "-server" -> access.target = arguments.pop();
        case "-tls" -> access.tls = true;
        case "-ca" -> access.ca = Path.of(arguments.pop());
        case "-token-file" -> access.tokenFile = Path.of(arguments.pop());
        case "-timeout" -> timeout = Duration.parse("PT" + arguments.pop());
        default -> throw new IllegalArgumentException(USAGE);
      }
    }
    if (arguments.size() < 4) {
      throw new IllegalArgumentException(USAGE);
    }
    var deadline = Deadline.after(timeout.toMillis(), TimeUnit.MILLISECONDS);
    ManagedChannel channel = access.connect();
    try {
      call(channel, deadline, arguments);
    } finally {
      channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
    }
  }

  private static void call(ManagedChannel channel, Deadline deadline, Deque<String> arguments) throws Exception {
    var stub = StylizerGrpc.newBlockingStub(channel).withDeadline(deadline);
    switch (arguments.pop()) {
      case "stylize" -> Stylize.file(stub, arguments.pop(), path(arguments), path(arguments));
      case "batch" -> {
        var streaming = StylizerGrpc.newStub(channel).withDeadline(deadline);
        Batch.files(streaming, arguments.pop(), path(arguments), arguments.stream().map(Path::of).toList());
      }
      case "paint" -> Job.file(stub, path(arguments), path(arguments), path(arguments));
      default -> throw new IllegalArgumentException(USAGE);
    }
  }

  private static Path path(Deque<String> arguments) {
    return Path.of(arguments.pop());
  }

  private static void fail(String reason) {
    System.err.println(reason);
    System.exit(1);
  }
}

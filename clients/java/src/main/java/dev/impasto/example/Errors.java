package dev.impasto.example;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.Code;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import com.google.rpc.Status;
import io.grpc.Deadline;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.ArrayList;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** What an error says, and what to do about it. */
final class Errors {
  private Errors() {}

  /**
   * Makes a call again for as long as the server is too busy for it and says when to come back, until the deadline would
   * pass.
   */
  static <T> T patiently(Deadline deadline, Supplier<T> call) throws InterruptedException {
    while (true) {
      try {
        return call.get();
      } catch (StatusRuntimeException error) {
        var delay = retryDelayMillis(error);
        if (delay.isEmpty() || deadline.timeRemaining(TimeUnit.MILLISECONDS) <= delay.get()) {
          throw error;
        }
        Thread.sleep(delay.get());
      }
    }
  }

  /** Returns when to try again, if the server said so. */
  private static Optional<Long> retryDelayMillis(StatusRuntimeException error) {
    return switch (error.getStatus().getCode()) {
      case RESOURCE_EXHAUSTED, UNAVAILABLE -> detail(StatusProto.fromThrowable(error), RetryInfo.class)
          .map(info -> info.getRetryDelay().getSeconds() * 1000 + info.getRetryDelay().getNanos() / 1_000_000);
      default -> Optional.empty();
    };
  }

  static String explain(StatusRuntimeException error) {
    return explain(StatusProto.fromThrowable(error));
  }

  /**
   * Returns an error with its code, its reason and the fields that are wrong. A program branches on code and reason; the
   * message is for people, and may change.
   */
  static String explain(Status status) {
    var parts = new ArrayList<String>();
    parts.add(String.valueOf(Code.forNumber(status.getCode())));
    detail(status, ErrorInfo.class).ifPresent(info -> parts.add(info.getReason()));
    detail(status, BadRequest.class)
        .ifPresent(bad -> bad.getFieldViolationsList().forEach(one -> parts.add("field " + one.getField())));
    return String.join(", ", parts) + ": " + status.getMessage();
  }

  private static <T extends Message> Optional<T> detail(Status status, Class<T> kind) {
    return status.getDetailsList().stream().filter(any -> any.is(kind)).findFirst().map(any -> unpacked(any, kind));
  }

  private static <T extends Message> T unpacked(Any any, Class<T> kind) {
    try {
      return any.unpack(kind);
    } catch (InvalidProtocolBufferException error) {
      throw new IllegalStateException(error);
    }
  }
}

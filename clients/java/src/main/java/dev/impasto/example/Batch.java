package dev.impasto.example;

import com.google.protobuf.ByteString;
import dev.impasto.v1.StylizeRequest;
import dev.impasto.v1.StylizeStreamConfig;
import dev.impasto.v1.StylizeStreamItem;
import dev.impasto.v1.StylizeStreamRequest;
import dev.impasto.v1.StylizeStreamResponse;
import dev.impasto.v1.StylizerGrpc.StylizerStub;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * Many photos over one stream, into a folder. A photo is read and sent when the transport has room for it, and the
 * server takes the next when an answer has been read, so that only a few are in memory.
 */
final class Batch implements ClientResponseObserver<StylizeStreamRequest, StylizeStreamResponse> {
  private final Iterator<Path> photos;
  private final Path folder;
  private final CompletableFuture<Integer> failed = new CompletableFuture<>();
  private ClientCallStreamObserver<StylizeStreamRequest> requests;
  private boolean complete;
  private int failures;

  private Batch(Iterator<Path> photos, Path folder) {
    this.photos = photos;
    this.folder = folder;
  }

  static void files(StylizerStub stub, String style, Path folder, List<Path> photos) throws IOException {
    var config =
        StylizeStreamConfig.newBuilder()
            .setOrder(StylizeStreamConfig.Order.AS_COMPLETED)
            .setDefaults(StylizeRequest.newBuilder().setStyleId(style))
            .build();
    var batch = new Batch(photos.iterator(), folder);
    stub.stylizeStream(batch).onNext(StylizeStreamRequest.newBuilder().setConfig(config).build());
    int failures = batch.join();
    if (failures > 0) {
      throw new IOException("%d of %d photos could not be painted".formatted(failures, photos.size()));
    }
  }

  private int join() throws IOException {
    try {
      return failed.join();
    } catch (CompletionException error) {
      if (error.getCause() instanceof UncheckedIOException unreadable) {
        throw unreadable.getCause();
      }
      throw (RuntimeException) error.getCause();
    }
  }

  @Override
  public void beforeStart(ClientCallStreamObserver<StylizeStreamRequest> stream) {
    requests = stream;
    stream.setOnReadyHandler(this::sendSome);
  }

  private void sendSome() {
    try {
      while (requests.isReady() && photos.hasNext()) {
        requests.onNext(item(photos.next()));
      }
    } catch (IOException error) {
      failed.completeExceptionally(new UncheckedIOException(error));
      requests.cancel("a photo cannot be read", error);
      return;
    }
    if (!photos.hasNext() && !complete) {
      complete = true;
      requests.onCompleted();
    }
  }

  private static StylizeStreamRequest item(Path photo) throws IOException {
    var request = StylizeRequest.newBuilder().setImage(ByteString.copyFrom(Files.readAllBytes(photo)));
    var item = StylizeStreamItem.newBuilder().setId(photo.getFileName().toString()).setRequest(request);
    return StylizeStreamRequest.newBuilder().setItem(item).build();
  }

  @Override
  public void onNext(StylizeStreamResponse answer) {
    if (answer.hasError()) { // of this photo alone
      System.err.println(answer.getId() + ": " + Errors.explain(answer.getError()));
      failures++;
      return;
    }
    var out = folder.resolve(answer.getId() + ".jpg");
    try {
      Files.write(out, answer.getResponse().getImage().toByteArray());
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
    System.out.println(out);
  }

  @Override
  public void onError(Throwable error) {
    failed.completeExceptionally(error);
  }

  @Override
  public void onCompleted() {
    failed.complete(failures);
  }
}

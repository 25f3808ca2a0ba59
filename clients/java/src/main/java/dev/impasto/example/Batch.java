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
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * Many photos over one stream, into a folder. A photo is read and sent when the transport has room for it, and the
 * server takes the next when an answer has been read, so that only a few are in memory.
 */
final class Batch implements ClientResponseObserver<StylizeStreamRequest, StylizeStreamResponse> {
  private final StylizeStreamConfig config;
  private final List<Path> photos;
  private final Path folder;
  private final Map<String, Path> waiting = new HashMap<>();
  private final CompletableFuture<Integer> failed = new CompletableFuture<>();
  private ClientCallStreamObserver<StylizeStreamRequest> requests;
  private boolean begun;
  private int sent;
  private boolean complete;
  private int failures;

  private Batch(StylizeStreamConfig config, List<Path> photos, Path folder) {
    this.config = config;
    this.photos = photos;
    this.folder = folder;
    number();
  }

  /**
   * Keeps the photos by the ids that they are sent with. An id that comes back is looked up here: what a server sends
   * never becomes a path.
   */
  private void number() {
    var names = new HashMap<Path, Path>();
    for (var photo : photos) {
      var other = names.put(photo.getFileName(), photo);
      if (other != null) {
        throw new IllegalArgumentException(
            "%s and %s would both become %s; give photos of different names".formatted(other, photo, painted(photo)));
      }
      waiting.put(String.valueOf(waiting.size()), photo);
    }
  }

  private Path painted(Path photo) {
    return folder.resolve(photo.getFileName() + ".jpg");
  }

  static void files(StylizerStub stub, String style, Path folder, List<Path> photos) throws IOException {
    var config =
        StylizeStreamConfig.newBuilder()
            .setOrder(StylizeStreamConfig.Order.AS_COMPLETED)
            .setDefaults(StylizeRequest.newBuilder().setStyleId(style))
            .build();
    var batch = new Batch(config, photos, folder);
    stub.stylizeStream(batch);
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
    if (!begun) { // here, and not where the stream is opened: only one thread may send
      begun = true;
      requests.onNext(StylizeStreamRequest.newBuilder().setConfig(config).build());
    }
    try {
      while (!complete && sent < photos.size() && requests.isReady()) {
        requests.onNext(item(sent++));
      }
    } catch (IOException error) {
      giveUp(error);
    }
    if (!complete && sent == photos.size()) {
      complete = true;
      requests.onCompleted();
    }
  }

  private void giveUp(IOException error) {
    complete = true;
    failed.completeExceptionally(new UncheckedIOException(error));
    requests.cancel("this batch cannot go on", error);
  }

  private StylizeStreamRequest item(int index) throws IOException {
    var photo = photos.get(index);
    var request = StylizeRequest.newBuilder().setImage(ByteString.copyFrom(Files.readAllBytes(photo)));
    var item = StylizeStreamItem.newBuilder().setId(String.valueOf(index)).setRequest(request);
    return StylizeStreamRequest.newBuilder().setItem(item).build();
  }

  @Override
  public void onNext(StylizeStreamResponse answer) {
    var photo = waiting.remove(answer.getId());
    if (photo == null) {
      giveUp(new IOException("the server answered '" + answer.getId() + "', which no photo waits under"));
      return;
    }
    if (answer.hasError()) { // of this photo alone
      System.err.println(photo + ": " + Errors.explain(answer.getError()));
      failures++;
      return;
    }
    try {
      System.out.println(Files.write(painted(photo), answer.getResponse().getImage().toByteArray()));
    } catch (IOException error) {
      giveUp(error);
    }
  }

  @Override
  public void onError(Throwable error) {
    failed.completeExceptionally(error);
  }

  @Override
  public void onCompleted() {
    // A server that stops may end a stream in good order.
    waiting.values().forEach(photo -> System.err.println(photo + ": no answer"));
    failed.complete(failures + waiting.size());
  }
}

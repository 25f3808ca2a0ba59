package dev.impasto.example;

import com.google.protobuf.ByteString;
import dev.impasto.v1.CreateStylizationRequest;
import dev.impasto.v1.Optimization;
import dev.impasto.v1.ReadStylizationRequest;
import dev.impasto.v1.StyleImages;
import dev.impasto.v1.Stylization;
import dev.impasto.v1.StylizeRequest;
import dev.impasto.v1.StylizerGrpc.StylizerBlockingStub;
import dev.impasto.v1.WatchStylizationRequest;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.UUID;

/** A photo in the hand of any painting: a job, which goes on whatever becomes of this program. */
final class Job {
  private static final long REOPEN_AFTER_MILLIS = 500;

  private Job() {}

  static void file(StylizerBlockingStub stub, Path painting, Path photo, Path out)
      throws IOException, InterruptedException {
    var request = request(painting, photo);
    var operation = Errors.patiently(stub.getCallOptions().getDeadline(), () -> stub.createStylization(request));
    System.out.println(operation.getName()); // whoever has this name can watch the job and read its result, later too
    var job = watch(stub, operation.getName());
    if (job.getState() != Stylization.State.SUCCEEDED) {
      throw new IOException("the job is " + job.getState());
    }
    Files.write(out, read(stub, job));
  }

  private static CreateStylizationRequest request(Path painting, Path photo) throws IOException {
    var part = StyleImages.Part.newBuilder().setImage(ByteString.copyFrom(Files.readAllBytes(painting)));
    var stylize =
        StylizeRequest.newBuilder()
            .setImage(ByteString.copyFrom(Files.readAllBytes(photo)))
            .setStyleImages(StyleImages.newBuilder().addParts(part))
            .setOptimization(Optimization.newBuilder().setSteps(100))
            .setRequestId(UUID.randomUUID().toString()); // sent again, it makes no second job
    return CreateStylizationRequest.newBuilder().setStylize(stylize).build();
  }

  /** Follows a job to its end, and opens the stream again when it breaks. */
  private static Stylization watch(StylizerBlockingStub stub, String name) throws InterruptedException {
    var request = WatchStylizationRequest.newBuilder().setName(name).build();
    while (true) {
      try {
        var updates = stub.watchStylization(request);
        while (updates.hasNext()) {
          var job = updates.next().getStylization();
          var progress = job.getProgress();
          System.out.printf("%s %d/%d%n", job.getState(), progress.getStep(), progress.getTotalSteps());
          if (job.hasEndTime()) {
            return job;
          }
        }
      } catch (StatusRuntimeException error) {
        throwUnlessBroken(error);
      }
      Thread.sleep(REOPEN_AFTER_MILLIS);
    }
  }

  /** Fetches a job's result, and goes on at the byte where a stream broke. */
  private static byte[] read(StylizerBlockingStub stub, Stylization job) throws InterruptedException {
    var picture = new ByteArrayOutputStream();
    while (picture.size() < job.getResult().getByteCount()) {
      var request = ReadStylizationRequest.newBuilder().setName(job.getName()).setReadOffset(picture.size());
      try {
        stub.readStylization(request.build()).forEachRemaining(part -> picture.writeBytes(part.getData().toByteArray()));
      } catch (StatusRuntimeException error) {
        throwUnlessBroken(error);
        Thread.sleep(REOPEN_AFTER_MILLIS);
      }
    }
    return picture.toByteArray();
  }

  /** A stream can be opened again where it was the connection or the server that ended it. */
  private static void throwUnlessBroken(StatusRuntimeException error) {
    if (error.getStatus().getCode() != Status.Code.UNAVAILABLE) {
      throw error;
    }
  }
}

package dev.impasto.example;

import com.google.protobuf.ByteString;
import dev.impasto.v1.StylizeRequest;
import dev.impasto.v1.StylizerGrpc.StylizerBlockingStub;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** One photo in a trained style. */
final class Stylize {
  private Stylize() {}

  static void file(StylizerBlockingStub stub, String style, Path photo, Path out)
      throws IOException, InterruptedException {
    var request =
        StylizeRequest.newBuilder()
            .setImage(ByteString.copyFrom(Files.readAllBytes(photo)))
            .setStyleId(style)
            .setStrength(0.8f)
            .build();
    var reply = Errors.patiently(stub.getCallOptions().getDeadline(), () -> stub.stylize(request));
    Files.write(out, reply.getImage().toByteArray());
    System.out.printf("%s: %d x %d%n", out, reply.getSize().getWidth(), reply.getSize().getHeight());
  }
}

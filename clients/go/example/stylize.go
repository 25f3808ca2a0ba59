package main

import (
	"context"
	"fmt"
	"os"

	"google.golang.org/protobuf/proto"

	pb "impasto.dev/go/impasto/v1"
)

// stylizeFile paints one photo in a trained style.
func stylizeFile(ctx context.Context, client pb.StylizerClient, style, photo, out string) error {
	image, err := os.ReadFile(photo)
	if err != nil {
		return err
	}
	request := &pb.StylizeRequest{
		Image:    image,
		Style:    &pb.StylizeRequest_StyleId{StyleId: style},
		Strength: proto.Float32(0.8), // a pointer: 0 is a strength, and not the same as none
	}
	reply, err := patiently(ctx, func() (*pb.StylizeResponse, error) { return client.Stylize(ctx, request) })
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d x %d\n", out, reply.GetSize().GetWidth(), reply.GetSize().GetHeight())
	return os.WriteFile(out, reply.GetImage(), 0o644)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"google.golang.org/grpc/status"

	pb "impasto.dev/go/impasto/v1"
)

// stylizeFiles paints photos over one stream, into a folder. It sends and reads at the same time; the server takes the
// next photo when an answer has been read, so that only a few are in memory.
func stylizeFiles(ctx context.Context, client pb.StylizerClient, style, folder string, photos []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.StylizeStream(ctx)
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() { sent <- send(stream, style, photos) }()
	failed, err := receive(stream, folder)
	if err != nil {
		return err
	}
	if err := <-sent; err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d photos could not be painted", failed, len(photos))
	}
	return nil
}

func send(stream pb.Stylizer_StylizeStreamClient, style string, photos []string) error {
	config := &pb.StylizeStreamConfig{
		Order:    pb.StylizeStreamConfig_AS_COMPLETED,
		Defaults: &pb.StylizeRequest{Style: &pb.StylizeRequest_StyleId{StyleId: style}},
	}
	first := &pb.StylizeStreamRequest{Content: &pb.StylizeStreamRequest_Config{Config: config}}
	if err := stream.Send(first); err != nil {
		return ended(err)
	}
	for _, photo := range photos {
		image, err := os.ReadFile(photo)
		if err != nil {
			return errors.Join(err, stream.CloseSend())
		}
		item := &pb.StylizeStreamItem{Id: filepath.Base(photo), Request: &pb.StylizeRequest{Image: image}}
		if err := stream.Send(&pb.StylizeStreamRequest{Content: &pb.StylizeStreamRequest_Item{Item: item}}); err != nil {
			return ended(err)
		}
	}
	return stream.CloseSend()
}

// ended leaves it to the receiving side to say why a stream has ended: sending tells io.EOF alone.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func receive(stream pb.Stylizer_StylizeStreamClient, folder string) (failed int, err error) {
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return failed, nil
		}
		if err != nil {
			return failed, err
		}
		if problem := answer.GetError(); problem != nil { // of this photo alone
			fmt.Fprintf(os.Stderr, "%s: %s\n", answer.GetId(), explain(status.FromProto(problem).Err()))
			failed++
			continue
		}
		out := filepath.Join(folder, answer.GetId()+".jpg")
		if err := os.WriteFile(out, answer.GetResponse().GetImage(), 0o644); err != nil {
			return failed, err
		}
		fmt.Println(out)
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"google.golang.org/grpc/status"

	pb "impasto.dev/go/impasto/v1"
)

// stylizeFiles paints photos over one stream, into a folder. It sends and reads at the same time; the server takes the
// next photo when an answer has been read, so that only a few are in memory.
func stylizeFiles(ctx context.Context, client pb.StylizerClient, style, folder string, photos []string) error {
	waiting, err := numbered(photos)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.StylizeStream(ctx)
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() { sent <- send(stream, style, photos) }()
	failed, err := receive(stream, folder, waiting)
	if err != nil {
		return err
	}
	if err := <-sent; err != nil {
		return err
	}
	for _, photo := range waiting { // a server that stops may end a stream in good order
		fmt.Fprintf(os.Stderr, "%s: no answer\n", photo)
	}
	if failed += len(waiting); failed > 0 {
		return fmt.Errorf("%d of %d photos could not be painted", failed, len(photos))
	}
	return nil
}

// numbered returns the photos by the ids that they are sent with. An id that comes back is looked up here: what a
// server sends never becomes a path.
func numbered(photos []string) (map[string]string, error) {
	byID, byName := map[string]string{}, map[string]string{}
	for index, photo := range photos {
		name := filepath.Base(photo)
		if other, taken := byName[name]; taken {
			return nil, fmt.Errorf("%s and %s would both become %s.jpg; give photos of different names", other, photo, name)
		}
		byName[name], byID[strconv.Itoa(index)] = photo, photo
	}
	return byID, nil
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
	for index, photo := range photos {
		image, err := os.ReadFile(photo)
		if err != nil {
			return errors.Join(err, stream.CloseSend())
		}
		item := &pb.StylizeStreamItem{Id: strconv.Itoa(index), Request: &pb.StylizeRequest{Image: image}}
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

// receive writes the pictures that come, and takes each photo that has an answer off those that wait for one.
func receive(stream pb.Stylizer_StylizeStreamClient, folder string, waiting map[string]string) (failed int, err error) {
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return failed, nil
		}
		if err != nil {
			return failed, err
		}
		photo, known := waiting[answer.GetId()]
		if !known {
			return failed, fmt.Errorf("the server answered %q, which no photo waits under", answer.GetId())
		}
		delete(waiting, answer.GetId())
		if problem := answer.GetError(); problem != nil { // of this photo alone
			fmt.Fprintf(os.Stderr, "%s: %s\n", photo, explain(status.FromProto(problem).Err()))
			failed++
			continue
		}
		out := filepath.Join(folder, filepath.Base(photo)+".jpg")
		if err := os.WriteFile(out, answer.GetResponse().GetImage(), 0o644); err != nil {
			return failed, err
		}
		fmt.Println(out)
	}
}

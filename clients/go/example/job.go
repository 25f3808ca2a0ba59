package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "impasto.dev/go/impasto/v1"
)

const reopenAfter = 500 * time.Millisecond

// paintFile paints a photo in the hand of any painting: a job, which goes on whatever becomes of this program.
func paintFile(ctx context.Context, client pb.StylizerClient, painting, photo, out string) error {
	request, err := jobRequest(painting, photo)
	if err != nil {
		return err
	}
	create := func() (interface{ GetName() string }, error) { return client.CreateStylization(ctx, request) }
	operation, err := patiently(ctx, create)
	if err != nil {
		return err
	}
	fmt.Printf("%s\n", operation.GetName()) // whoever has this name can watch the job and read its result, later too
	job, err := watch(ctx, client, operation.GetName())
	if err != nil {
		return err
	}
	if job.GetState() != pb.Stylization_SUCCEEDED {
		return fmt.Errorf("the job is %s", job.GetState())
	}
	picture, err := read(ctx, client, job)
	if err != nil {
		return err
	}
	return os.WriteFile(out, picture, 0o644)
}

func jobRequest(painting, photo string) (*pb.CreateStylizationRequest, error) {
	image, err := os.ReadFile(photo)
	if err != nil {
		return nil, err
	}
	style, err := os.ReadFile(painting)
	if err != nil {
		return nil, err
	}
	return &pb.CreateStylizationRequest{Stylize: &pb.StylizeRequest{
		Image: image,
		Style: &pb.StylizeRequest_StyleImages{StyleImages: &pb.StyleImages{
			Parts: []*pb.StyleImages_Part{{Image: style}},
		}},
		Optimization: &pb.Optimization{Steps: proto.Int32(100)},
		RequestId:    rand.Text(), // sent again, it makes no second job
	}}, nil
}

// watch follows a job to its end, and opens the stream again when it breaks.
func watch(ctx context.Context, client pb.StylizerClient, name string) (*pb.Stylization, error) {
	for {
		job, err := watchOnce(ctx, client, name)
		if job != nil || !broken(err) {
			return job, err
		}
		pause(ctx)
	}
}

// watchOnce returns the job if it has ended, and why the stream has ended before it.
func watchOnce(ctx context.Context, client pb.StylizerClient, name string) (*pb.Stylization, error) {
	stream, err := client.WatchStylization(ctx, &pb.WatchStylizationRequest{Name: name})
	if err != nil {
		return nil, err
	}
	for {
		update, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		job := update.GetStylization()
		fmt.Printf("%s %d/%d\n", job.GetState(), job.GetProgress().GetStep(), job.GetProgress().GetTotalSteps())
		if job.GetEndTime() != nil {
			return job, nil
		}
	}
}

// read fetches a job's result, and goes on at the byte where a stream broke.
func read(ctx context.Context, client pb.StylizerClient, job *pb.Stylization) ([]byte, error) {
	var picture []byte
	for int64(len(picture)) < job.GetResult().GetByteCount() {
		request := &pb.ReadStylizationRequest{Name: job.GetName(), ReadOffset: int64(len(picture))}
		stream, err := client.ReadStylization(ctx, request)
		for err == nil {
			var part *pb.ReadStylizationResponse
			part, err = stream.Recv()
			picture = append(picture, part.GetData()...)
		}
		if !broken(err) {
			return nil, err
		}
		if !errors.Is(err, io.EOF) {
			pause(ctx)
		}
	}
	return picture, nil
}

// broken says whether a stream that ended can be opened again: it was the connection or the server that ended it.
func broken(err error) bool {
	return errors.Is(err, io.EOF) || status.Code(err) == codes.Unavailable
}

// pause waits before a stream is opened again, or until the deadline passes, of which the next call tells.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(reopenAfter):
	}
}

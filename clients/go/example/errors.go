package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// patiently makes a call again for as long as the server is too busy for it and says when to come back, until the
// deadline would pass.
func patiently[Reply any](ctx context.Context, call func() (Reply, error)) (Reply, error) {
	for {
		reply, err := call()
		delay, told := retryDelay(err)
		if !told || !fits(ctx, delay) {
			return reply, err
		}
		select {
		case <-ctx.Done():
			return reply, err
		case <-time.After(delay):
		}
	}
}

func fits(ctx context.Context, delay time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) > delay
}

// retryDelay returns when to try again, if the server said so.
func retryDelay(err error) (time.Duration, bool) {
	answer := status.Convert(err)
	if answer.Code() != codes.ResourceExhausted && answer.Code() != codes.Unavailable {
		return 0, false
	}
	for _, detail := range answer.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration(), true
		}
	}
	return 0, false
}

// explain returns an error with its code, its reason and the fields that are wrong. A program branches on code and
// reason; the message is for people, and may change.
func explain(err error) string {
	answer, ok := status.FromError(err)
	if !ok {
		return err.Error()
	}
	parts := []string{answer.Code().String()}
	for _, detail := range answer.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			parts = append(parts, detail.GetReason())
		case *errdetails.BadRequest:
			for _, violation := range detail.GetFieldViolations() {
				parts = append(parts, "field "+violation.GetField())
			}
		}
	}
	return fmt.Sprintf("%s: %s", strings.Join(parts, ", "), answer.Message())
}

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

const (
	maxReply    = 256 << 20 // bytes; gRPC's own limit is 4 MiB, and a large PNG has more
	retryBuffer = 256 << 20 // bytes; a request that is larger than gRPC's 256 KiB would silently not be retried

	// A photo painted twice does no harm, and a job has a request id: so a call that met no server, or lost it, is made
	// again. A stream would have to be kept and sent anew as a whole, so it is not.
	serviceConfig = `{
		"loadBalancingConfig": [{"round_robin": {}}],
		"methodConfig": [
			{
				"name": [{"service": "impasto.v1.Stylizer"}, {"service": "google.longrunning.Operations"}],
				"retryPolicy": {
					"maxAttempts": 5,
					"initialBackoff": "0.1s",
					"maxBackoff": "2s",
					"backoffMultiplier": 3,
					"retryableStatusCodes": ["UNAVAILABLE"]
				}
			},
			{"name": [{"service": "impasto.v1.Stylizer", "method": "StylizeStream"}]}
		]
	}`
)

// access says where the server is, and as whom to call it.
type access struct {
	target, ca, tokenFile string
	tls                   bool
}

// connect makes a connection that is opened by the first call, and again whenever it breaks. One is enough for a whole
// program: any number of goroutines may call over it.
func connect(how access) (*grpc.ClientConn, error) {
	transport, err := how.credentials()
	if err != nil {
		return nil, err
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReply), grpc.MaxRetryRPCBufferSize(retryBuffer)),
		// A connection that died without a word is found by pings, while a call is under way.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
		// gRPC's own pauses, up to 2 minutes, outlast a server's restart.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
	}
	if how.tokenFile != "" {
		token, err := os.ReadFile(how.tokenFile)
		if err != nil {
			return nil, fmt.Errorf("the token: %w", err)
		}
		options = append(options, grpc.WithPerRPCCredentials(bearer(strings.TrimSpace(string(token)))))
	}
	return grpc.NewClient(how.target, options...)
}

func (how access) credentials() (credentials.TransportCredentials, error) {
	switch {
	case how.ca != "":
		return credentials.NewClientTLSFromFile(how.ca, "")
	case how.tls:
		return credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12}), nil
	}
	return insecure.NewCredentials(), nil
}

// bearer is a token that goes with every call, over TLS alone.
type bearer string

func (token bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(token)}, nil
}

func (bearer) RequireTransportSecurity() bool { return true }

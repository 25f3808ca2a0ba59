// Calls an Impasto server: paints a photo, a batch of photos, or a photo in the hand of any painting.
//
//	go run ./example stylize STYLE PHOTO OUT
//	go run ./example batch STYLE FOLDER PHOTO...
//	go run ./example paint PAINTING PHOTO OUT
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	pb "impasto.dev/go/impasto/v1"
)

var errUsage = errors.New("give: stylize STYLE PHOTO OUT, batch STYLE FOLDER PHOTO... or paint PAINTING PHOTO OUT; -help has the options")

func main() {
	var how access
	flag.StringVar(&how.target, "server", "127.0.0.1:8500", "where the server is: host:port, or dns:///host:port")
	flag.BoolVar(&how.tls, "tls", false, "use TLS, and trust the authorities of this machine")
	flag.StringVar(&how.ca, "ca", "", "use TLS, and trust the authorities in this PEM file")
	flag.StringVar(&how.tokenFile, "token-file", "", "a file that holds the token to call with; needs TLS")
	timeout := flag.Duration("timeout", time.Minute, "how long all of it may take")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	if err := run(ctx, how, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, explain(err))
		os.Exit(1)
	}
}

func run(ctx context.Context, how access, arguments []string) error {
	if len(arguments) < 4 {
		return errUsage
	}
	conn, err := connect(how)
	if err != nil {
		return err
	}
	defer conn.Close()
	client := pb.NewStylizerClient(conn)
	command, first, second, rest := arguments[0], arguments[1], arguments[2], arguments[3:]
	switch {
	case command == "stylize" && len(rest) == 1:
		return stylizeFile(ctx, client, first, second, rest[0])
	case command == "batch":
		return stylizeFiles(ctx, client, first, second, rest)
	case command == "paint" && len(rest) == 1:
		return paintFile(ctx, client, first, second, rest[0])
	}
	return errUsage
}

package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Load gives Docker the images of an archive as `docker save` makes it, which write writes.
func (d *Docker) Load(ctx context.Context, write func(io.Writer) error) error {
	return d.Feed(ctx, write, "load", "--quiet")
}

// Feed runs a docker command that reads what write writes; there is no file between them. When
// write fails, its error is the cause of what the command says.
func (d *Docker) Feed(ctx context.Context, write func(io.Writer) error, args ...string) error {
	r, w := io.Pipe()
	wrote := make(chan error, 1)
	go func() {
		err := write(w)
		_ = w.CloseWithError(err)
		wrote <- err
	}()
	cmd := d.Command(ctx, "docker", args...)
	cmd.Stdin = r
	err := d.Attend(ctx, cmd, nil)
	_ = r.Close() // a command that ended early reads no more
	if cause := <-wrote; cause != nil && !errors.Is(cause, io.ErrClosedPipe) && ctx.Err() == nil {
		return fmt.Errorf("%s: write what it reads: %w", title(cmd), cause)
	}
	return err
}

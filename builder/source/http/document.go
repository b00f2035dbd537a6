package http

import (
	"context"
	"fmt"
	"io"
	"net/url"
)

// Document is a small text that a server has.
type Document struct {
	Text []byte
	Type string   // Content-Type as the server says it
	URL  *url.URL // where redirects led: what relative addresses in the text start from
}

// Document fetches a text of at most limit bytes. accept are the media types that are asked for, as
// in RFC 9110, 12.5.1. 404 and 410 wrap source.ErrNotFound.
func (c *Client) Document(ctx context.Context, rawURL, accept string, limit int64) (Document, error) {
	s, err := c.URL(rawURL)
	if err != nil {
		return Document{}, err
	}
	body, err := c.open(ctx, s.url, limit, accept)
	if err != nil {
		return Document{}, err
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return Document{}, err
	}
	if int64(len(text)) > limit {
		return Document{}, fmt.Errorf("%s: more than the %d bytes that are allowed", s, limit)
	}
	return Document{Text: text, Type: body.mediaType, URL: body.from}, nil
}

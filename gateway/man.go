//go:build man

package main

import (
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// The package is built with this command and ships without it: go run -tags man ./gateway man FOLDER.
func init() {
	extra = append(extra, func() *cobra.Command {
		return &cobra.Command{
			Use: "man FOLDER", Short: "Write the man pages", Args: cobra.ExactArgs(1), Hidden: true,
			RunE: func(cmd *cobra.Command, args []string) error {
				date := time.Now()
				if epoch, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
					date = time.Unix(epoch, 0).UTC() // reproducible-builds.org/specs/source-date-epoch
				}
				cmd.Root().DisableAutoGenTag = true
				return doc.GenManTree(cmd.Root(), &doc.GenManHeader{Section: "1", Date: &date, Source: "Granule " + version, Manual: "Granule"}, args[0])
			},
		}
	})
}

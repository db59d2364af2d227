package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/granule-nf/granule/gateway/settings"
	"github.com/spf13/cobra"
)

func checkCommand() *cobra.Command {
	var config string
	var asJSON, strict bool
	var offline settings.Offline
	cmd := &cobra.Command{
		Use:   "check --config granule.yaml",
		Short: "compile a configuration and every file it names; say what is wrong, or what the plan is",
		Long: `Check compiles every chain and every rule file of a configuration, in this process and with the code that workers run.

Every problem is reported with file, line and column, what was found and what was expected, all of them at once, and the
exit status is 1. Otherwise it prints the plan: which flows take which chain, the stages, what each ships and gets back, its
memory, the size of what its workers are handed, and of each rule file how much of it loads. Signatures that are left out
are named; with --strict they make the exit status 1.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, cfg, err := offline.Compile(cmd.Flags(), os.LookupEnv, config, 1, true)
			if err != nil {
				if asJSON {
					_ = printJSON(cmd.OutOrStdout(), settings.Report{Config: config, Problems: settings.ProblemsIn(err)})
				}
				return err
			}
			report, err := settings.NewReport(cfg.Path, &offline, plan)
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), report)
			} else {
				err = report.Print(cmd.OutOrStdout())
			}
			if files := report.LeftOut(); strict && len(files) > 0 {
				err = errors.Join(err, fmt.Errorf("%d of %d rules of %s are left out, and --strict takes none: correct or remove them", files[0].LeftOut, files[0].Loaded+files[0].LeftOut, files[0].Name))
			}
			return err
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVarP(&config, "config", "c", "granule.yaml", "the configuration `file`")
	fs.BoolVar(&asJSON, "json", false, "print the plan, or the problems, as JSON")
	fs.BoolVar(&strict, "strict", false, "fail if any rule of a file is left out")
	offline.Flags(fs)
	return cmd
}

func printJSON(w interface{ Write([]byte) (int, error) }, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

package main

import (
	"encoding/json"

	"github.com/spf13/cobra"
)

func checkCommand() *cobra.Command {
	var config string
	var asJSON bool
	var offline offlineSettings
	cmd := &cobra.Command{
		Use:   "check --config granule.yaml",
		Short: "compile a configuration and every file it names; say what is wrong, or what the plan is",
		Long: `Check compiles every chain and every rule file of a configuration, in this process and with the code that workers run.

What is wrong is told with file, line and column, what was found and what was expected, all of it at once, and the exit
status is 1. Otherwise it prints the plan: which flows take which chain, the stages, what each ships and gets back, its
memory, the size of what its workers are handed, and of each rule file how much of it loads.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			plan, cfg, err := offline.compile(cmd, config, 1, true)
			if err != nil {
				if asJSON {
					_ = printJSON(cmd.OutOrStdout(), checkReport{Config: config, Problems: problemsIn(err)})
				}
				return err
			}
			report, err := newCheckReport(cfg.Path, &offline, plan)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), report)
			}
			return report.print(cmd.OutOrStdout())
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVarP(&config, "config", "c", "granule.yaml", "the configuration `file`")
	fs.BoolVar(&asJSON, "json", false, "print the plan, or the problems, as JSON")
	offline.register(fs)
	return cmd
}

func printJSON(w interface{ Write([]byte) (int, error) }, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

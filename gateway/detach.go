package main

import (
	"fmt"
	"net"

	"github.com/granule-nf/granule/ingress/xdpprog"
	"github.com/spf13/cobra"
)

func detachCommand() *cobra.Command {
	var instance string
	cmd := &cobra.Command{
		Use:   "detach --instance NAME",
		Short: "Take off the interfaces what a gateway that is gone left on them",
		Long: `Detach removes the XDP programs that a gateway of that instance name left when it was killed, or stopped with
--leave-relay, and their pins: until then they relay or drop by --on-process-failure. It refuses while that gateway
runs. Run it in the mount namespace of the gateway: pins are seen there.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			indices, err := xdpprog.Detach(xdpprog.DefaultBPFFS, instance)
			if err != nil {
				return err
			}
			if len(indices) == 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "instance %s: pins removed; no program was attached\n", instance)
			}
			for _, index := range indices {
				name := fmt.Sprintf("interface %d", index)
				if i, err := net.InterfaceByIndex(index); err == nil {
					name = i.Name
				} else if index == 0 {
					name = "an interface that is gone"
				}
				fmt.Fprintf(cmd.OutOrStdout(), "instance %s: detached from %s\n", instance, name)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&instance, "instance", "default", "name of the gateway whose pinned BPF objects are removed")
	return cmd
}

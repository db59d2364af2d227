// Package chain turns granule.yaml into chains that are ready to run: which flows take which chain, what each stage
// ships, and the bundle that a worker of the stage is handed.
//
// Parse reads the file and knows every place in it; Config.Compile builds each stage through nf.Build, which reads the
// rule files, and notes what was read. What is wrong is an nf.Problem with file, line and column, and all of it is told at
// once. Classifier picks the chain of a flow by its first packet; the expressions are those of tcpdump (package match).
package chain

// Reads graphs as JSON from standard input and writes Graphviz's layouts of them as JSON.
import {instance} from "@viz-js/viz";
import {readFileSync} from "node:fs";

const viz = await instance();
const graphs = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(graphs.map((graph) => viz.renderJSON(graph, {engine: "dot"}))));

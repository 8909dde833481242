"""What the DAG files share: the graph, how its jobs are drawn, and how the end of a job is judged."""

"""Figures of Delta tables by Spark. Runs in the Spark environment: `python spark_figures.py JARS < wanted.json`.

stdin: {place: {path, columns, partitions}}; the last line of stdout: {place: {rows, sums, partitions}}.
"""

from __future__ import annotations

import glob
import json
import os
import sys


def session(jars: str):
    """Starts a local session that talks to loopback only."""
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession

    settings = {
        "spark.jars": ",".join(sorted(glob.glob(f"{jars}/*.jar"))),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.sql.shuffle.partitions": "2",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
    }
    builder = SparkSession.builder.master("local[2]").appName("readers")
    for name, value in settings.items():
        builder = builder.config(name, value)
    found = builder.getOrCreate()
    found.sparkContext.setLogLevel("ERROR")
    return found


def main() -> int:
    """Reads what is wanted, prints what was found."""
    wanted = json.load(sys.stdin)
    spark = session(sys.argv[1])
    found = {}
    for place, one in wanted.items():
        frame = spark.read.format("delta").load(one["path"])
        sums = [f"cast(sum(`{name}`) as string) as `{name}`" for name in one["columns"]]
        row = frame.selectExpr("count(*) as __rows", *sums).collect()[0]
        counts = frame.groupBy(*one["partitions"]).count().collect() if one["partitions"] else []
        found[place] = {
            "rows": row["__rows"],
            "sums": {name: row[name] for name in one["columns"]},
            "partitions": [[str(value) if index < len(one["partitions"]) else value for index, value in enumerate(line)] for line in counts],
        }
    spark.stop()
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())

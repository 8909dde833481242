"""Checks contract files against the JSON schema of ODCS 3.1, as the package open-data-contract-standard 3.1.2 ships it.

Prints one line per problem: file, place in the document, what the schema says. Ends with 1 if there is any.
"""

import importlib.resources
import json
import sys
from pathlib import Path

import jsonschema
import yaml

schema = json.loads((importlib.resources.files("open_data_contract_standard") / "schema.json").read_text())
validator = jsonschema.Draft201909Validator(schema)
found = 0
for path in map(Path, sys.argv[1:]):
    for error in validator.iter_errors(yaml.safe_load(path.read_text())):
        place = "/".join(map(str, error.absolute_path)) or "document"
        # Of alternatives that all failed, the nearest one tells what is wrong.
        cause = jsonschema.exceptions.best_match([error]) or error
        print(f"{path}: {place}: {cause.message[:300]}")
        found += 1
sys.exit(1 if found else 0)

"""Validates a bill of materials by the JSON Schema of its standard, in the environment of ci/requirements-sbom.txt."""

import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def main() -> int:
    """Prints what is wrong; 1 when something is."""
    text = Path(sys.argv[1]).read_text()
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if problem is not None:
        print(f"bundle: the bill of materials is no CycloneDX 1.6: {str(problem)[:1000]}")
        return 1
    print(f"bundle: the bill of materials is CycloneDX 1.6, {text.count('bom-ref')} components")
    return 0


if __name__ == "__main__":
    sys.exit(main())

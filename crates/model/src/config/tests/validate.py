# Validates configuration against a schema, with the TOML reader of Python's standard library and
# the validator of python3-jsonschema: neither has anything in common with the program.
#
# stdin: {"schema": …, "files": [{"name": …, "text": …}]}; stdout: an array with null for each file
# that is valid, else why not.
import json
import sys
import tomllib

import jsonschema


def read(file):
    text = file["text"].removeprefix("\ufeff")
    return tomllib.loads(text) if file["name"].endswith(".toml") else json.loads(text)


def verdict(validator, file):
    try:
        value = read(file)
    except (ValueError, RecursionError) as error:
        return "syntax: " + str(error)
    error = jsonschema.exceptions.best_match(validator.iter_errors(value))
    return error and "/".join(map(str, error.absolute_path)) + ": " + error.message


task = json.load(sys.stdin)
jsonschema.Draft202012Validator.check_schema(task["schema"])
validator = jsonschema.Draft202012Validator(task["schema"])
json.dump([verdict(validator, file) for file in task["files"]], sys.stdout)

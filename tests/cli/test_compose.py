#!/usr/bin/env python3
"""What docker-compose.yml and the Dockerfile name exists, and leat's command runs as it says."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_test import ROOT, Skip, leat, main  # noqa: E402

try:
    import yaml
except ImportError:
    yaml = None


def compose():
    if yaml is None:
        raise Skip("python3-yaml is not installed")
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def dockerfile():
    return (ROOT / "Dockerfile").read_text()


def in_tree(path):
    """A path inside the image as the file of the tree that it was copied from."""
    for source, target in re.findall(r"^COPY (?!--from)(\S+) (\S+)$", dockerfile(), re.M):
        if path.startswith(target.rstrip("/") + "/"):
            return ROOT / source / path[len(target.rstrip("/")) + 1:]
    return None


def leat_services():
    return {n: s for n, s in compose()["services"].items() if "build" in s}


def test_every_build_context_and_stage_exists():
    stages = re.findall(r"^FROM \S+ AS (\S+)$", dockerfile(), re.M)
    assert len(stages) >= 2, "the Dockerfile has several stages"
    services = leat_services()
    assert services
    for name, service in services.items():
        assert (ROOT / service["build"]["context"] / "Dockerfile").exists(), name
        assert service["build"]["target"] in stages, name


def test_every_file_that_the_dockerfile_copies_exists():
    for source, _ in re.findall(r"^COPY (?!--from)(\S+) (\S+)$", dockerfile(), re.M):
        assert (ROOT / source).exists(), source
    assert (ROOT / "scripts/build").exists()


def test_every_pipeline_of_a_command_is_in_the_image_and_good():
    for name, service in leat_services().items():
        command, path, *words = service["command"]
        file = in_tree(path)
        assert command == "run" and file and file.exists(), f"{name}: {path}"
        code, _, err = leat("check", file, *words, env=service["environment"])
        assert code == 0, err


def test_health_checks_ask_where_the_command_listens():
    listen = ["--set", "http.listen=4190"]
    for name, service in leat_services().items():
        assert service["healthcheck"]["test"] == ["CMD", "leat", "health"], name
        assert service["command"][2:] == listen, name
    command = re.findall(r"^CMD (.*)$", dockerfile(), re.M)[-1]
    assert yaml.safe_load(command)[2:] == listen
    assert re.search(r'^HEALTHCHECK .*CMD \["leat", "health"\]$', dockerfile(), re.M)
    assert "http://127.0.0.1:4190/readyz" in leat("health", "--help")[1], "where `leat health` asks"


def test_every_variable_is_used_by_the_pipeline_that_gets_it():
    for name, service in leat_services().items():
        text = in_tree(service["command"][1]).read_text()
        for variable in service["environment"]:
            assert "${env:" + variable in text, f"{name}: {variable}"


def test_brokers_named_are_services_with_that_port_and_volumes_are_declared():
    all_of_it = compose()
    kafka = all_of_it["services"]["kafka"]
    listeners = kafka["environment"]["KAFKA_LISTENERS"] + kafka["environment"][
        "KAFKA_ADVERTISED_LISTENERS"]
    for name, service in leat_services().items():
        host, port = service["environment"]["BROKERS"].split(":")
        assert host in all_of_it["services"], name
        assert f":{port}" in listeners, f"{name}: nobody listens on {port}"
        for volume in service.get("volumes", []):
            source, target = volume.split(":")
            assert source in all_of_it["volumes"], volume
            assert f"VOLUME {target}" in dockerfile(), volume


main(sys.modules[__name__])

#!/usr/bin/env python3
"""What docker-compose.yml and the Dockerfile name exists, leat's commands run as they say, and who
is spoken to listens there."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_test import BUILD, LEAT, ROOT, Skip, leat, main  # noqa: E402

try:
    import yaml
except ImportError:
    yaml = None

LISTEN = ["--set", "http.listen=4190"]
ENVIRONMENTS = {None: "orders-per-city", "mqtt": "mqtt-to-kafka", "rabbitmq": "rabbitmq-to-hourly-files",
                "flume": "flume-to-kafka"}  # by profile: the example that is their subject
BROKERS = {"kafka", "mosquitto", "rabbitmq"}


def compose():
    if yaml is None:
        raise Skip("python3-yaml is not installed")
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def services():
    return compose()["services"]


def leat_services():
    return {n: s for n, s in services().items() if s["image"] == "leat"}


def dockerfile():
    return (ROOT / "Dockerfile").read_text()


def mounts(service):
    """(source, target, how)"""
    return [(*v.split(":"), "rw")[:3] for v in service.get("volumes", [])]


def in_tree(service, path):
    """A path inside a container as the file of the tree that is mounted there."""
    for source, target, _ in mounts(service):
        if source.startswith("./") and (path + "/").startswith(target + "/"):
            return ROOT / (source + path[len(target):])
    return None


def profiles(service):
    return set(service.get("profiles", []))


def test_every_build_context_and_stage_exists():
    stages = re.findall(r"^FROM \S+ AS (\S+)$", dockerfile(), re.M)
    assert len(stages) >= 2, "the Dockerfile has several stages"
    built = {n: s["build"] for n, s in services().items() if "build" in s}
    assert set(leat_services()) < set(built)
    for name, build in built.items():
        assert (ROOT / build["context"] / build.get("dockerfile", "Dockerfile")).exists(), name
        assert build.get("target") in [*stages, None], name


def test_every_file_that_the_dockerfile_copies_exists():
    for source, _ in re.findall(r"^COPY (?!--from)(\S+) (\S+)$", dockerfile(), re.M):
        assert (ROOT / source).exists(), source
    assert (ROOT / "scripts/build").exists()


def packages_linked(*files):
    """The packages of the libraries that these name, but for what every Debian has."""
    found = set()
    for file in files:
        needed = re.findall(r"NEEDED.*\[(.*)\]", output("readelf", "-d", file))
        where = dict(re.findall(r"^\s*(\S+) => (\S+)", output("ldd", file), re.M))
        found |= {os.path.realpath(where[n]) for n in needed if n in where and "san.so" not in n}
    owners = set()
    for file in found:
        lines = output("dpkg", "-S", "*/" + os.path.basename(file)).splitlines()
        owners |= {line.split(":")[0] for line in lines if os.path.realpath(line.split(": ")[1]) == file}
    return owners - {"libc6", "libgcc-s1"}


def output(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout


def test_the_image_has_what_the_program_and_its_modules_link_and_nothing_else():
    if not shutil.which("dpkg"):
        raise Skip("the packages are Debian's")
    modules = [m for m in (pathlib.Path(BUILD) / "engine/modules").glob("*.so") if m.name != "files_plugin.so"]
    assert len(modules) > 10, modules
    linked = packages_linked(LEAT, *modules)
    words, = re.findall(r"apt-get install ([^\\]*)", dockerfile())
    there = {w for w in words.split() if w[0] != "-"} - {"tzdata", "ca-certificates"}
    assert there == linked, f"{there - linked} nobody links, {linked - there} are missing"


def test_every_environment_has_a_profile_with_its_example():
    found = {}
    for name, service in leat_services().items():
        for profile in profiles(service) or {None}:
            found.setdefault(profile, set()).add(pathlib.Path(service["command"][1]).stem)
    assert set(found) == set(ENVIRONMENTS)
    for profile, example in ENVIRONMENTS.items():
        assert example in found[profile], profile


def test_every_pipeline_of_a_command_is_mounted_and_good_there():
    for name, service in leat_services().items():
        command, path, *words = service["command"]
        file = in_tree(service, path)
        assert command == "run" and file and file.exists(), f"{name}: {path}"
        code, _, err = leat("check", file, *words, env=service["environment"])
        assert code == 0, err


def test_health_checks_ask_where_the_command_listens():
    for name, service in leat_services().items():
        assert service["healthcheck"]["test"] == ["CMD", "leat", "health"], name
        assert service["command"][2:4] == LISTEN, name
    command = re.findall(r"^CMD (.*)$", dockerfile(), re.M)[-1]
    assert yaml.safe_load(command)[2:] == LISTEN
    assert re.search(r'^HEALTHCHECK .*CMD \["leat", "health"\]$', dockerfile(), re.M)
    assert "http://127.0.0.1:4190/readyz" in leat("health", "--help")[1], "where `leat health` asks"


def variables(service):
    """Those that its pipeline reads."""
    text = in_tree(service, service["command"][1]).read_text()
    return set(re.findall(r"\$\{env:(\w+)", text))


def test_every_variable_of_a_pipeline_is_set_and_no_other():
    for name, service in leat_services().items():
        assert set(service["environment"]) == variables(service), name


def listens_at(name, service):
    """Ports that others reach it at."""
    if name == "kafka":
        return set(re.findall(r"//kafka:(\d+)", service["environment"]["KAFKA_ADVERTISED_LISTENERS"])) & set(
            re.findall(r"//0\.0\.0\.0:(\d+)", service["environment"]["KAFKA_LISTENERS"]))
    if name == "mosquitto":
        conf = in_tree(service, "/mosquitto/config/mosquitto.conf").read_text()
        return set(re.findall(r"^listener (\d+)$", conf, re.M))
    if name == "rabbitmq":
        return {"5672"}  # the image's, when nothing else is said
    return set(re.findall(r"0\.0\.0\.0:(\d+)", service.get("environment", {}).get("LISTEN", "")))


def speaks_to(name, service):
    """(host, port) each"""
    if service["image"] == "leat":
        found = [re.fullmatch(r"(?:\w+://)?([\w-]+):(\d+)", str(v)) for v in service["environment"].values()]
        return [m.groups() for m in found if m]
    if name == "flume":
        conf = in_tree(service, "/etc/flume/flume.conf").read_text()
        return re.findall(r"^agent\.sinks\.leat\.hostname = (\S+)\nagent\.sinks\.leat\.port = (\d+)$", conf, re.M)
    return []


def test_whoever_is_spoken_to_listens_there_is_started_first_and_with_the_same_profile():
    everybody = services()
    for name, service in everybody.items():
        there = speaks_to(name, service)
        assert there or name in BROKERS, f"{name} speaks to nobody"
        for host, port in there:
            assert host in everybody, f"{name}: there is no '{host}'"
            assert port in listens_at(host, everybody[host]), f"{name}: {host} does not listen at {port}"
            assert host in service["depends_on"], f"{name} needs {host}"
        for other in service.get("depends_on", []):
            assert profiles(everybody[other]) <= profiles(service), f"{name} needs {other}, which stays away"


def test_users_and_passwords_are_those_of_the_broker():
    everybody = services()
    broker, client = (everybody[n]["environment"] for n in ("rabbitmq", "rabbitmq-to-files"))
    assert client["RABBITMQ_USER"] == broker["RABBITMQ_DEFAULT_USER"]
    assert client["RABBITMQ_PASSWORD"] == broker["RABBITMQ_DEFAULT_PASS"]


def test_the_broker_does_with_one_node_and_is_reached_from_outside_where_it_says():
    kafka = services()["kafka"]
    env = kafka["environment"]
    for what in ("OFFSETS_TOPIC_REPLICATION_FACTOR", "TRANSACTION_STATE_LOG_REPLICATION_FACTOR",
                 "TRANSACTION_STATE_LOG_MIN_ISR"):
        assert env[f"KAFKA_{what}"] == 1, what
    host = re.findall(r"HOST://localhost:(\d+)", env["KAFKA_ADVERTISED_LISTENERS"])
    assert kafka["ports"] == [f"{host[0]}:{host[0]}"]
    names = re.findall(r"(\w+)://", env["KAFKA_LISTENERS"])
    assert set(names) == set(re.findall(r"(\w+):PLAINTEXT", env["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"]))
    assert env["KAFKA_INTER_BROKER_LISTENER_NAME"] in names


def test_volumes_are_declared_each_of_one_service_and_what_is_mounted_exists():
    declared, used = set(compose()["volumes"]), []
    for name, service in services().items():
        for source, target, how in mounts(service):
            if source.startswith("./"):
                assert (ROOT / source).exists() and how == "ro", f"{name}: {source}"
            else:
                used.append(source)
        if service["image"] == "leat":
            own = [t for s, t, _ in mounts(service) if not s.startswith("./")]
            assert own == re.findall(r"^VOLUME (\S+)$", dockerfile(), re.M), f"{name} keeps its state"
    assert sorted(used) == sorted(declared), "state is nobody else's"


def test_the_page_names_every_profile_and_every_service_by_its_name():
    page = (ROOT / "docs/deploy.md").read_text()
    for name, service in services().items():
        assert f"`{name}`" in page, name
        for profile in profiles(service):
            assert f"--profile {profile} " in page, profile
    for verb in re.findall(r"docker compose (?:--profile \w+ )?(?:exec|up|logs|run)(?: -\w)* ([a-z-]+)", page):
        assert verb in services(), f"there is no service '{verb}'"


main(sys.modules[__name__])

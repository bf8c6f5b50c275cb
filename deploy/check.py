"""Holds the files of deploy/ against schemas: compose, Kubernetes, Dockerfile. Run by deploy/check.sh."""

import re
import subprocess
import sys
from pathlib import Path

import yaml
from compose_spec import PyOptions

ROOT = Path(__file__).resolve().parent.parent
problems = []


def problem(where, what):
    problems.append(f"{where}: {what}")


def pinned(image):
    """Whether an image names a version: a tag with a digit in it, or a digest."""
    tag = image.rpartition("@sha256:")[2] if "@sha256:" in image else image.rpartition(":")[2]
    return ":" in image and any(c.isdigit() for c in tag)


def compose():
    path = ROOT / "docker-compose.yml"
    text = path.read_text()
    options = PyOptions()
    options.apply_merge = True
    try:
        options.from_yaml(text).validate()
    except Exception as error:  # whatever it raises, it is no compose file
        problem(path.name, error)
        return
    said = yaml.safe_load(text)
    services, volumes = said["services"], said["volumes"]
    for name, service in services.items():
        for other in service.get("depends_on", []):
            if other not in services:
                problem(path.name, f"{name} depends on {other}, which is not there")
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                if not (ROOT / source).exists():
                    problem(path.name, f"{name} mounts {source}, which is not there")
            elif source not in volumes:
                problem(path.name, f"{name} mounts the volume {source}, which is not there")
        if "build" not in service and not pinned(service["image"]):
            problem(path.name, f"{name}: {service['image']} names no version")
        for port in service.get("ports", []):
            if not port.startswith("127.0.0.1:"):
                problem(path.name, f"{name}: {port} is open to other machines")


def kubernetes():
    folder = ROOT / "deploy/kubernetes"
    own = [p for p in sorted(folder.glob("*.yaml")) if p.name != "servicemonitor.yaml"]
    run = subprocess.run(["kubernetes-validate", "--strict", "--quiet", *own], capture_output=True, text=True)
    if run.returncode != 0:
        problem("kubernetes-validate", run.stdout + run.stderr)
    everything = [it for p in sorted(folder.glob("*.yaml")) for it in yaml.safe_load_all(p.read_text())]
    named = {(it["kind"], it["metadata"]["name"]) for it in everything}
    for it in everything:
        if it["kind"] != "Namespace" and it["metadata"].get("namespace") != "keyhole":
            problem(it["kind"], "is in another namespace")
    (stateful,) = (it for it in everything if it["kind"] == "StatefulSet")
    pod = stateful["spec"]["template"]["spec"]
    labels = stateful["spec"]["template"]["metadata"]["labels"]
    for it in everything:
        selector = it["spec"].get("selector", it["spec"].get("podSelector")) if "spec" in it else None
        if it["kind"] in ("Service", "NetworkPolicy", "PodDisruptionBudget"):
            wanted = selector.get("matchLabels", selector)
            if not wanted.items() <= labels.items():
                problem(it["kind"], f"selects {wanted}, not the proxies")
    for volume in pod["volumes"]:
        for kind, key in (("ConfigMap", "configMap"), ("Secret", "secret")):
            if key in volume:
                name = volume[key].get("name", volume[key].get("secretName"))
                if (kind, name) not in named and name != "keyhole-tls":
                    problem("StatefulSet", f"mounts {kind} {name}, which is not there")
    # Pod Security's profile "restricted".
    if not pod["securityContext"]["runAsNonRoot"]:
        problem("StatefulSet", "may run as root")
    for container in pod["containers"] + pod["initContainers"]:
        context = container["securityContext"]
        drops = context["capabilities"]["drop"] == ["ALL"]
        if not (drops and context["readOnlyRootFilesystem"]) or context["allowPrivilegeEscalation"]:
            problem("StatefulSet", f"{container['name']} may do more than it needs")
        if not pinned(container["image"]):
            problem("StatefulSet", f"{container['image']} names no version")
    ports = {port["name"] for port in pod["containers"][0]["ports"]}
    for it in everything:
        for port in it["spec"].get("ports", []) if it["kind"] == "Service" else []:
            if port["targetPort"] not in ports:
                problem("Service", f"{port['targetPort']} is no port of the proxy")
    variables = set()
    for it in everything:
        if it["kind"] == "Secret":
            variables |= set(it["stringData"])
    (config,) = (it for it in everything if it["kind"] == "ConfigMap")
    for variable in re.findall(r'_env = "(\w+)"', config["data"]["proxy.toml"]):
        if variable not in variables:
            problem("ConfigMap", f"{variable} is in no Secret")


def dockerfile():
    run = subprocess.run(["hadolint", str(ROOT / "Dockerfile")], capture_output=True, text=True)
    if run.returncode != 0:
        problem("hadolint", run.stdout + run.stderr)


for part in (compose, kubernetes, dockerfile):
    part()
for line in problems:
    print(f"check-deploy: {line}", file=sys.stderr)
sys.exit(1 if problems else 0)

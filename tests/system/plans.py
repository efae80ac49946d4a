# SPDX-License-Identifier: BSD-2-Clause
"""Partition plans written by tests, and images made of them."""

import os
import subprocess

from box import REPOSITORY, Failed

# Downloaded and shared files stay in build/ whatever folder the rest is built in.
SHARED = os.path.join(REPOSITORY, "build")


def value(item):
    if isinstance(item, bool):
        return None
    if isinstance(item, int):
        return f"<{item}>"
    if isinstance(item, (list, tuple)):
        return ", ".join(value(part) for part in item)
    return '"' + str(item).replace("\\", "\\\\").replace('"', '\\"') + '"'


def node(name, properties, depth):
    """Text of a node: dictionaries become nodes, True an empty property, False nothing."""
    indent = "    " * depth
    lines = [f"{indent}{name} {{"]
    # Properties come before further nodes.
    for key, item in sorted(properties.items(), key=lambda pair: isinstance(pair[1], dict)):
        if isinstance(item, dict):
            lines.append(node(key, item, depth + 1))
        elif item is True:
            lines.append(f"{indent}    {key};")
        elif item is not False and item is not None:
            lines.append(f"{indent}    {key} = {value(item)};")
    lines.append(f"{indent}}};")
    return "\n".join(lines)


def kernel(flavour):
    return os.path.join(SHARED, "kernels", flavour, "vmlinuz")


def ramdisk(flavour):
    return os.path.join(SHARED, "ramdisk", f"{flavour}.cpio.gz")


def linux(flavour="cloud-amd64", *, run=None, then=None, name=None, memory=128, vcpus=1, extra="", **properties):
    """A partition with one of Debian's kernels and the test RAM disk."""
    words = ["console=hvc0"]
    if name:
        words.append(f"bh.name={name}")
    if run:
        words.append(f'bh.run="{run}"')
    if then:
        words.append(f"bh.then={then}")
    if extra:
        words.append(extra)
    return {"type": "pv", "memory": memory, "vcpus": vcpus, "kernel": kernel(flavour), "store": "default",
            "ramdisk": ramdisk(flavour), "cmdline": " ".join(words), **properties}


def plan(partitions, *, model="a test", **properties):
    """A partition has no store unless it says store="default", as linux() does: others would not use it."""
    partitions = {name: {"store": "none", **partition} for name, partition in partitions.items()}
    tree = {"compatible": "bulkhead,plan", "model": model, **properties, "partitions": partitions}
    return "/dts-v1/;\n" + node("/", tree, 0) + "\n"


def compile_plan(build, text, folder, name="plan.dts", options=()):
    """Writes the plan and runs the host tool. Returns (status, what it printed)."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    done = subprocess.run([os.path.join(build, "host", "bulkhead-plan"), "--core", os.path.join(build, "core.elf"),
                           "--output", folder, *options, path],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False)
    return done.returncode, done.stdout.decode(errors="replace")


def image(build, text, folder, options=()):
    """The image of a plan that must compile."""
    status, output = compile_plan(build, text, folder, options=options)
    if status != 0:
        raise Failed(f"the plan does not compile: {output.strip()}")
    return os.path.join(folder, "bulkhead.elf")


KEY = os.path.join(REPOSITORY, "boot", "image", "development.pem")


def firmware_images(build, elf, folder, *options):
    """Everything else that a box can start from, made of an image. Returns what the tool printed."""
    done = subprocess.run([os.path.join(build, "host", "bulkhead-image"), "--image", elf,
                           "--loaders", os.path.join(build, "loader"), "--key", KEY, "--output", folder,
                           *(str(option) for option in options)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False)
    output = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        raise Failed(f"no images: {output.strip()}")
    return output


def conformance_guest(build, name, **properties):
    """A partition with one of the small guests of tests/guests."""
    return {"type": "pv", "memory": 16, "vcpus": 1, "kernel": os.path.join(build, "guests", f"{name}.elf"),
            "on_poweroff": "destroy", **properties}


PAIR = ("first", "second")


def pair(elf):
    """Two partitions with the same guest, which tells the one from the other by its command line."""
    return {role: {"type": "pv", "memory": 32, "vcpus": 1, "cpus": f"{index}", "kernel": elf, "on_poweroff": "destroy",
                   "on_crash": "destroy", "cmdline": f"role={role} peer={2 - index}"}
            for index, role in enumerate(PAIR)}

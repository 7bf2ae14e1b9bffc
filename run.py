"""ComfyUI-SyncTweedies on this machine: ``python run.py demo | batch | serve | test | bench``. Standard library
only.

demo   runs workflows of workflows/ on a ComfyUI host and prints the paths of the files they write
batch  runs the jobs of a table (CSV or JSON lines), each once; a later run goes on where this one ended
serve  starts a host with this pack for the browser
test   runs all tests; --host pip, official or a ComfyUI's folder, repeatable (further arguments go to pytest)
bench  prints a table of measurements and writes them as JSON

The first run creates .venv and installs what is needed. A host is COMFYUI_DIR, else the ComfyUI whose custom_nodes
this folder lies in, else the registry's ComfyUI in .venv.
"""

import sys

if sys.version_info < (3, 10):  # noqa: UP036
    sys.exit("error: run.py needs Python 3.10 or newer, this is " + sys.version.split()[0])

import argparse
import os
import signal
from pathlib import Path

from launcher import commands
from launcher.batch import command
from launcher.errors import LauncherError
from launcher.hosts import KINDS

# Not resolved: a pack linked into custom_nodes must still find the ComfyUI around it.
ROOT = Path(os.path.abspath(__file__)).parent


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="run.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = top.add_subparsers(dest="command", required=True)
    demo = verbs.add_parser("demo", help="run workflows and print the paths of the files written")
    demo.add_argument(
        "names", nargs="*", metavar="NAME", help=f"workflows (default: {', '.join(commands.DEFAULT_DEMO)})"
    )
    demo.add_argument(
        "--set", action="extend", nargs="+", default=[], metavar="NODE.INPUT=VALUE", dest="settings",
        help="change a widget, by node title or id: KSampler.steps=5",
    )  # fmt: skip
    batch = verbs.add_parser("batch", help="run the jobs of a table, and go on where an earlier run ended")
    batch.add_argument("table", type=Path, metavar="JOBS", help="CSV or JSON lines: workflow, id, NODE.INPUT, ...")
    batch.add_argument(
        "--ray", nargs="?", const="", metavar="ADDRESS", help="workers of Ray, started here or joined at host:port"
    )
    batch.add_argument("--workers", type=int, metavar="N", help="default 1; with --ray one for each GPU or machine")
    batch.add_argument("--gpus-per-worker", type=float, metavar="G", help="default 1 where there are GPUs")
    batch.add_argument("--retries", type=int, default=2, metavar="N", help="of a job whose worker died (default 2)")
    batch.add_argument(
        "--stall", type=float, default=1800.0, metavar="SECONDS", help="without progress a host hangs (default 1800)"
    )
    batch.add_argument("--list", action="store_true", help="check everything and show what would run")
    batch.add_argument("--again", action="store_true", help="run jobs that are done, too")
    batch.add_argument("--output", type=Path, metavar="DIR", help="default output/<name of JOBS>")
    batch.add_argument("--host", choices=KINDS, help="default: official when one is found, else pip")
    serve = verbs.add_parser("serve", help="start a host for the browser")
    serve.add_argument("--port", type=int, help="default 8188, or a free one")
    for verb in (demo, serve):
        verb.add_argument("--host", choices=KINDS, help="default: official when one is found, else pip")
        verb.add_argument("--output", type=Path, default=Path("output"), metavar="DIR", help="default ./output")
    verbs.add_parser("test", help="run all tests, on each --host; further arguments go to pytest", add_help=False)
    verbs.add_parser("bench", help="measure; further arguments go to benchmarks/run_all.py", add_help=False)
    return top


def batch_options(words: argparse.Namespace, arguments: list[str]) -> command.Options:
    """The arguments of `batch` by their meaning."""
    return command.Options(
        table=words.table,
        output=words.output,
        kind=words.host,
        ray=words.ray,
        workers=words.workers,
        gpus=words.gpus_per_worker,
        retries=words.retries,
        stall=words.stall,
        only_list=words.list,
        again=words.again,
        arguments=tuple(arguments),
    )


def _stop(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    """Run one command; errors become one line on stderr and an exit code."""
    options, rest = parser().parse_known_args(arguments)
    if rest and options.command in ("demo", "batch", "serve"):
        parser().error(f"unrecognized arguments: {' '.join(rest)}")
    signal.signal(signal.SIGTERM, _stop)  # a host must not outlive its run.py
    try:
        if options.command == "demo":
            # "--set A.b=1 name": what has no "=" is a workflow's name.
            settings = [text for text in options.settings if "=" in text]
            names = options.names + [text for text in options.settings if "=" not in text]
            return commands.demo(ROOT, names, options.host, options.output, settings)
        if options.command == "batch":
            return command.run(ROOT, batch_options(options, arguments))
        if options.command == "serve":
            return commands.serve(ROOT, options.host, options.output, options.port)
        return {"test": commands.test, "bench": commands.bench}[options.command](ROOT, arguments[1:])
    except LauncherError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

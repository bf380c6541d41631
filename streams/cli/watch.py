"""`pressline watch`: attach to a load."""

import click

from streams.cli.batch_end import conclude, shown_on
from streams.cli.batch_store import open_store
from streams.cli.batch_views import BatchView, choose_view
from streams.cli.exits import run
from streams.progress import LoadProgress
from streams.settings import Settings
from streams.watch import WAIT_S_MAX, watch


@click.command("watch")
@click.argument("batch")
@click.option("--json", "as_json", is_flag=True, help="JSON lines; the last has the phase `ended`.")
@click.option(
    "--wait-s-max",
    type=click.FloatRange(min=0),
    default=WAIT_S_MAX,
    show_default=True,
    help="Longest watch, in seconds.",
)
def command(batch: str, *, as_json: bool, wait_s_max: float) -> None:
    """Show the load BATCH until each row has an outcome or waits for a person.

    Ctrl-C ends the watch, not the work.
    """
    view = choose_view(as_json=as_json)
    with shown_on(view, f"the work goes on; to watch it again: pressline watch {batch}"):
        progress, pages = run(lambda: _work(batch, view, wait_s_max))
        conclude(view, progress, pages)


async def _work(batch_id: str, view: BatchView, wait_s_max: float) -> tuple[LoadProgress, str]:
    settings = Settings.load()
    async with open_store(settings) as store:
        progress = await watch(store.batches, batch_id, view.look, wait_s_max=wait_s_max)
    return progress, str(settings.site)

"""Making videos at the user's word: begin, edit, end; and what stands in the way, in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Qt, Signal, SignalInstance, Slot
from PySide6.QtWidgets import QMessageBox, QWidget

from magi_desktop.arrivals import Arrivals
from magi_desktop.panels.checks import Checks
from magi_desktop.panels.prompt import PromptPanel
from magi_desktop.state.queue import QueueItem
from magi_desktop.translation import translated
from magi_desktop.widgets.notice_bar import NoticeBar, Tone
from magi_desktop.window_dialogs import WindowDialogs
from magi_desktop.workshop import Workshop
from magi_engine.errors import MagiError, ModelNotFoundError
from magi_engine.runtime.job.events import Cancelled, Event
from magi_engine.runtime.request.request import AUDITIONED, GenerationRequest, Mode

_MOMENT_S = 10.0
"""What a running video has taken at most to be stopped without a question."""
_OFFER_MS = 24_000
"""How long something that can be done about a notice is offered."""


class Making(QObject):
    """The draft on its way into the queue.

    Signals:
        queue_wanted: the queue is to be seen.
        checks_wanted: what is wrong stands under the settings, which are to be seen.
    """

    queue_wanted = Signal()
    checks_wanted = Signal()

    def __init__(
        self,
        workshop: Workshop,
        notice: NoticeBar,
        arrivals: Arrivals,
        dialogs: WindowDialogs,
        prompt: PromptPanel,
        checks: Checks,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._shop, self._notice, self._window = workshop, notice, window
        self._arrivals, self._dialogs = arrivals, dialogs
        self._prompt, self._checks = prompt, checks
        self._failed_id = ""
        """The item of the queue whose error is said."""
        shop = workshop
        shop.queue.changed.connect(self._follow_queue)
        shop.queue.loaded.connect(self._queue_loaded)
        shop.draft.changed.connect(self._follow_draft)
        shop.models.changed.connect(self._follow_models)
        shop.controller.failed.connect(self._job_failed)
        shop.undo.stop_wanted.connect(self.stop)
        shop.job.ended.connect(self._ended)
        dialogs.wanted.connect(self.line_up)
        dialogs.variations_wanted.connect(self.vary)
        arrivals.seed_locked.connect(self._say_seed_locked)
        prompt.later.taken.connect(self._say_storyboard)
        prompt.later.taken_out.connect(self._say_taken_out)

    @Slot(int)
    def generate(self, copies: int = 1, only_chunks: int | None = None) -> None:
        """Make the draft's video, now or when the ones before it are done; asks about a prompt
        that is empty.

        Args:
            only_chunks: how many of its chunks are made now; None: all.
        """
        draft = self._shop.draft
        if draft.mode is Mode.T2V and not draft.prompt.strip():
            self._ask_without_prompt(copies, only_chunks)
        else:
            self._generate(copies, only_chunks)

    @Slot()
    def audition(self) -> None:
        """Make first seconds of the draft's video, each with a seed of its own, and show them."""
        self.generate(AUDITIONED, only_chunks=1)

    def _generate(self, copies: int, only_chunks: int | None) -> None:
        draft, queue = self._shop.draft, self._shop.queue
        refusal = self._shop.planner.refusal
        if refusal is not None:  # it would only fail in the queue, and say the same
            self._say_draft_error(refusal)
            return
        edited = queue.edited
        draft.take_seed()
        try:
            request = dataclasses.replace(draft.request(), only_chunks=only_chunks)
        except MagiError as error:
            self._say_draft_error(error)
            return
        self._notice.withdraw("failed")
        self._prompt.remember()
        if edited is not None:
            own = {"start": edited.request.start, "only_chunks": edited.request.only_chunks}
            self._shop.undo.replaced(edited)
            queue.replace(edited.id, dataclasses.replace(request, **own))
        else:
            self._shop.undo.lined_up(self._shop.controller.generate(request, copies))
        self._show_lined_up(copies, only_chunks)

    @Slot(object, int)
    def line_up(self, request: GenerationRequest, copies: int) -> None:
        """Make videos that are not the draft's; more than one differ in their seeds."""
        self._shop.undo.lined_up(self._shop.controller.generate(request, copies))
        self._show_lined_up(copies)

    @Slot(object, int)
    def vary(self, request: GenerationRequest, count: int) -> None:
        """Make a video so many times more, with other seeds."""
        self._shop.undo.lined_up(self._shop.controller.vary(request, count))
        self._show_lined_up(count)

    def _show_lined_up(self, count: int, only_chunks: int | None = None) -> None:
        if self._shop.queue.paused:
            self._say_held()
        if only_chunks is not None:
            self._dialogs.audition()
        elif count > 1 or self._shop.job.phase.active:
            self.queue_wanted.emit()

    @Slot()
    def stop(self) -> None:
        """End the running video. Asks first where it was to be longer and has taken some time."""
        job, stop = self._shop.job, self._shop.controller.stop
        if job.open_ended or job.elapsed_s < _MOMENT_S:
            stop()
        elif job.phase.active:
            self.ask_to_end(
                self.tr("Stop before the video is complete?"),
                self.tr("What is finished of it is kept as a video; the rest is not made.")
                if job.frames_done
                else self.tr("Nothing of it is finished yet, so that nothing is kept."),
                self.tr("Stop"),
                stop,
            )

    @Slot(object)
    def _ended(self, event: Event) -> None:
        request = self._shop.job.request
        if isinstance(event, Cancelled) and event.path is None and request is not None:
            self._notice.say(
                self.tr("It was stopped before anything of it was finished."),
                action=(self.tr("Make it again"), partial(self.line_up, request, 1)),
                for_ms=_OFFER_MS,
                about="stopped",
            )

    def ask_to_end(
        self,
        text: str,
        detail: str,
        verb: str,
        then: Callable[[], None],
        keep_verb: str = "",
        over: SignalInstance | None = None,
    ) -> None:
        """Ask before something is ended; keeping on is what Enter and Esc mean.

        Args:
            keep_verb, over: words for that, and what ends by itself; by default the running video.
        """
        box = self._box(text, detail)
        stop = box.addButton(verb, QMessageBox.ButtonRole.AcceptRole)
        keep_verb = keep_verb or self.tr("Keep making it")
        keep = box.addButton(keep_verb, QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        stop.clicked.connect(then)
        # What has ended by itself leaves nothing to ask.
        (over or self._shop.job.ended).connect(box.close)
        box.open()

    def _ask_without_prompt(self, copies: int, only_chunks: int | None) -> None:
        box = self._box(
            self.tr("There is no prompt."),
            self.tr("Say what the video shall show, or let the model show what it likes."),
        )
        role = QMessageBox.ButtonRole
        write = box.addButton(self.tr("Write a prompt"), role.RejectRole)
        example = box.addButton(self.tr("Use an example"), role.ActionRole)
        anyway = box.addButton(self.tr("Generate without"), role.AcceptRole)
        box.setDefaultButton(write)
        box.setEscapeButton(write)
        write.clicked.connect(self._prompt.field.setFocus)
        example.clicked.connect(self._prompt.take_example)
        anyway.clicked.connect(partial(self._generate, copies, only_chunks))
        box.open()

    def _box(self, text: str, detail: str) -> QMessageBox:
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.Question)
        box.setText(text)
        box.setInformativeText(detail)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        return box

    # Editing a queued video.

    @Slot(object)
    def edit(self, item: QueueItem) -> None:
        """Compose a queued video again; Generate then puts it back in its place."""
        if self._arrivals.edit(item.request):
            self._shop.queue.edit(item.id)

    def _say_editing(self) -> None:
        self._notice.say(
            self.tr("You are editing a queued video: it is held until you put it back."),
            action=(self.tr("Leave it as it was"), self.stop_editing),
            on_hide=self.stop_editing,
            about="editing",
        )

    @Slot()
    def stop_editing(self) -> None:
        """The queued video stays as it was."""
        self._shop.queue.edit(None)

    # What is said, and withdrawn when it is no longer so.

    @Slot()
    def _follow_queue(self) -> None:
        queue, draft = self._shop.queue, self._shop.draft
        if queue.edited is None:
            self._notice.withdraw("editing")
        elif not draft.editing:
            self._say_editing()
        draft.set_editing(queue.edited is not None)
        if not queue.paused:
            self._notice.withdraw("held")
        if self._failed_id not in [item.id for item in queue.failed]:
            self._notice.withdraw("failed")

    @Slot()
    def _queue_loaded(self) -> None:
        queue = self._shop.queue
        if queue.paused and len(queue.items) > len(queue.failed):
            self._say_held()

    def _say_held(self) -> None:
        queue = self._shop.queue
        text = self.tr("The queue is held: nothing starts until you resume it.")
        if any(item.interrupted for item in queue.items):
            text = self.tr("A video was interrupted as the program ended; the queue is held.")
        resume = (self.tr("Resume"), partial(queue.set_paused, False))
        self._notice.say(text, Tone.WARNING, action=resume, about="held")

    @Slot(str)
    def _follow_draft(self, name: str) -> None:
        """What was wrong with the inputs is no longer so, or will be said again."""
        if name in ("plan", "editing"):
            return
        self._notice.withdraw("draft")
        if name == "base":
            self._notice.withdraw("later prompt")
        if name != "prompt":
            self._notice.withdraw("input")
        if name in ("model", "config_path"):
            self._notice.withdraw("model")
        if not self._shop.draft.settings.seed_locked:
            self._notice.withdraw("seed")

    @Slot()
    def _follow_models(self) -> None:
        if not self._shop.models.is_missing(self._shop.draft.settings.model):
            self._notice.withdraw("model")

    @Slot()
    def _say_seed_locked(self) -> None:
        draft = self._shop.draft
        self._notice.say(
            self.tr("Its seed is locked with it: every video gets seed {}.").format(
                draft.settings.seed
            ),
            action=(self.tr("A fresh seed each"), partial(draft.set, seed_locked=False)),
            for_ms=_OFFER_MS,
            about="seed",
        )

    @Slot(int, object)
    def _say_storyboard(self, count: int, undo: Callable[[], None]) -> None:
        text = self.tr("%n prompt(s) of a storyboard are in place of those before.", "", count)
        self._notice.offer_undo(text, undo, about="words")

    @Slot(object)
    def _say_taken_out(self, undo: Callable[[], None]) -> None:
        self._notice.offer_undo(self.tr("The prompt was removed."), undo, about="later prompt")

    @Slot(object)
    def say_input_error(self, error: Exception) -> None:
        """Something that came in cannot be used."""
        self._say_error(error, "input")

    def _say_draft_error(self, error: MagiError) -> None:
        if self._checks.says(error):  # one place for one error
            self.checks_wanted.emit()
        else:
            self._say_error(error, "draft")

    @Slot(object, str)
    def _job_failed(self, error: MagiError, item_id: str) -> None:
        self._failed_id = item_id
        if self._checks.says(error):  # as of an engine that cannot start: one place for one error
            self.checks_wanted.emit()
        else:
            self._say_error(error, "failed", partial(self._shop.queue.retry, item_id))

    def _say_error(
        self, error: Exception, about: str, again: Callable[[], None] | None = None
    ) -> None:
        model = self._shop.draft.settings.model
        action = None if again is None else (self.tr("Try again"), again)
        if isinstance(error, ModelNotFoundError) and self._shop.models.is_missing(model):
            about, action = "model", (self.tr("Get it…"), partial(self._dialogs.models, model))
        self._notice.say(translated(error), Tone.ERROR, action=action, about=about)

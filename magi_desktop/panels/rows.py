"""The settings everybody uses beside model and size: length, seed, quality, chunks at once."""

from __future__ import annotations

from PySide6.QtCore import QRegularExpression, QSignalBlocker, Qt, QTimer, Slot
from PySide6.QtGui import QGuiApplication, QRegularExpressionValidator
from PySide6.QtWidgets import QCheckBox, QLineEdit, QSlider, QWidget

from magi_desktop.panels.field import Field
from magi_desktop.panels.values import choose, effective, legal_steps, nearest
from magi_desktop.state.draft import Draft
from magi_desktop.state.generation_settings import DEFAULT_SECONDS
from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import bind_icon
from magi_desktop.widgets.controls import (
    COPIED_MS,
    SPIN_WIDTH,
    NumberBox,
    icon_button,
    name_control,
    prepare_number,
)
from magi_desktop.widgets.layout import hbox
from magi_engine.config.official import MAX_FRAMES
from magi_engine.runtime.request.request import drawn_seed
from magi_engine.sampling.schedule import MAX_WINDOW

_SLIDER_SECONDS = 20


def slider(parent: QWidget, least: int, most: int) -> QSlider:
    """A horizontal slider over whole numbers."""
    made = QSlider(Qt.Orientation.Horizontal, parent)
    made.setRange(least, most)
    made.setPageStep(1)
    made.setMinimumWidth(80)
    return made


class LengthRow(Field):
    """Seconds, or until the user stops."""

    def __init__(self, draft: Draft, parent: QWidget | None = None) -> None:
        super().__init__(draft, ("seconds",), also=("fps",), parent=parent)
        self._last_seconds = draft.settings.seconds or DEFAULT_SECONDS
        self.slider = slider(self, 1, _SLIDER_SECONDS)
        self.slider.valueChanged.connect(self._slid)
        self.box = NumberBox(self)
        self.box.setDecimals(3)
        self.box.setSuffix(self.tr(" s"))
        prepare_number(self.box, SPIN_WIDTH)
        self.box.valueChanged.connect(self._typed)
        self.endless = QCheckBox(self.tr("&Until I stop"), self)
        self.endless.toggled.connect(
            lambda endless: self.draft.set(seconds=None if endless else self._last_seconds)
        )
        name_control(
            self.endless,
            self.tr("Until I stop"),
            self.tr("The video goes on, second after second, until you press Stop."),
        )
        self.wheel_guard.watch(self.slider)
        controls = hbox(spacing=t.SPACE_2).add((self.slider, 1), self.box)
        self.add_to_header(self.endless)
        hint = self.tr("How long the video becomes; it is made one part after another.")
        self.set_up(self.tr("&Length"), self.box, hint, controls)
        name_control(self.slider, self.tr("Length in seconds"), hint)

    def refresh(self) -> None:
        seconds = self.draft.settings.seconds
        self._last_seconds = seconds or self._last_seconds
        with QSignalBlocker(self.slider), QSignalBlocker(self.box), QSignalBlocker(self.endless):
            # A length that another rate has made too short or too long is shown as it is.
            fps, asked = effective(self.draft, "fps"), self._last_seconds
            self.box.setRange(min(1 / fps, asked), max(MAX_FRAMES / fps, asked))
            self.slider.setValue(round(self._last_seconds))
            self.box.setValue(self._last_seconds)
            self.endless.setChecked(seconds is None)
        self.slider.setEnabled(seconds is not None)
        self.box.setEnabled(seconds is not None)
        self.say(self.tr("A new second follows until you press Stop.") if seconds is None else "")

    @Slot(int)
    def _slid(self, seconds: int) -> None:
        self.draft.set(seconds=float(seconds))

    @Slot(float)
    def _typed(self, seconds: float) -> None:
        self.draft.set(seconds=seconds)


class SeedRow(Field):
    """The number that decides which of the possible videos it becomes."""

    def __init__(self, draft: Draft, parent: QWidget | None = None) -> None:
        super().__init__(draft, ("seed_locked",), also=("seed", "editing"), parent=parent)
        self.edit = QLineEdit(self)
        digits = QRegularExpression(r"\d{0,19}")
        self.edit.setValidator(QRegularExpressionValidator(digits, self.edit))
        self.edit.setMinimumWidth(80)
        self.edit.editingFinished.connect(self._typed)
        self.dice = icon_button(
            "dice",
            self.tr("New seed"),
            self.tr("Throw the dice for another seed, and keep it."),
            self,
        )
        self.dice.clicked.connect(self._throw)
        self.copy_button = icon_button(
            "copy", self.tr("Copy the seed"), self.tr("Put the seed on the clipboard."), self
        )
        self.copy_button.clicked.connect(self._copy)
        self.lock = icon_button(
            "unlock",
            self.tr("Keep this seed"),
            self.tr("Locked: each video has this seed. Open: each video gets a fresh one."),
            self,
        )
        self.lock.setCheckable(True)
        self.lock.toggled.connect(lambda locked: self.draft.set(seed_locked=locked))
        self._copied = QTimer(self, singleShot=True, interval=COPIED_MS)
        self._copied.timeout.connect(self.refresh)
        controls = hbox(spacing=2).add(
            (self.edit, 1), t.SPACE_1, self.dice, self.copy_button, self.lock
        )
        hint = self.tr("The same seed with the same settings makes the same video again.")
        self.set_up(self.tr("S&eed"), self.edit, hint, controls)

    def refresh(self) -> None:
        settings = self.draft.settings
        being_typed = self.edit.hasFocus() and self.edit.isModified()
        if not being_typed and self.edit.text() != str(settings.seed):
            self.edit.setText(str(settings.seed))
        with QSignalBlocker(self.lock):
            self.lock.setChecked(settings.seed_locked)
        bind_icon(self.lock, "lock" if settings.seed_locked else "unlock")
        if settings.seed_locked:
            self.say(self.tr("Every video gets this seed."))
        elif self.draft.editing:
            self.say(self.tr("The queued video keeps this seed."))
        else:
            self.say(self.tr("The next video gets a fresh seed."))

    @Slot()
    def _typed(self) -> None:
        self.edit.setModified(False)
        seed = int(self.edit.text() or self.draft.settings.seed)
        if seed != self.draft.settings.seed:  # who types a seed wants it used
            self.draft.set(seed=seed, seed_locked=True)
        self.refresh()

    @Slot()
    def _throw(self) -> None:
        self.draft.set(seed=drawn_seed(), seed_locked=True)

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(str(self.draft.settings.seed))
        self.say(self.tr("Copied."))
        self._copied.start()


class QualityRow(Field):
    """Steps, among the numbers that work."""

    def __init__(self, draft: Draft, parent: QWidget | None = None) -> None:
        also = ("window_size", "noise2clean_kvrange")
        super().__init__(draft, ("num_steps",), also=also, parent=parent)
        self._legal: tuple[int, ...] = ()
        self._moved_from: int | None = None
        self._moved_to: int | None = None
        self._wanted = effective(draft, "num_steps")
        self.slider = slider(self, 0, 0)
        self.slider.valueChanged.connect(self._slid)
        self.set_up(
            self.tr("&Quality"),
            self.slider,
            self.tr("More steps make a finer picture and take proportionally longer."),
        )

    def refresh(self) -> None:
        steps = effective(self.draft, "num_steps")
        self._legal = legal_steps(self.draft)
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, max(len(self._legal) - 1, 0))
            if self._legal:
                self.slider.setValue(self._legal.index(nearest(self._legal, steps)))
        self.slider.setEnabled(bool(self._legal))
        word = self._word(steps)
        self.value.setText(self.tr("{} · %n step(s)", None, steps).format(word))
        self.slider.setAccessibleDescription(self.value.text())
        if self._moved_from in (None, steps):
            self.say("")
        else:
            text = self.tr(
                "Moved from {} to %n step(s), which fit the seconds worked on at once.", None, steps
            )
            self.say(text.format(self._moved_from))

    @Slot()
    def reset(self) -> None:
        super().reset()
        self._remember()

    def fit_window(self, window_size: int) -> None:
        """Choose a window; steps that it cannot have become the nearest ones it can, and say so.

        On the way over several windows the steps that were chosen at first are kept in mind.
        """
        current: int = effective(self.draft, "num_steps")
        if self._moved_from is None or current not in (self._moved_from, self._moved_to):
            self._wanted = current
        fitting = nearest(legal_steps(self.draft, window_size) or (current,), self._wanted)
        self._moved_from = None if fitting == self._wanted else self._wanted
        self._moved_to = fitting
        choose(self.draft, window_size=window_size, num_steps=fitting)
        self._update()

    def _remember(self) -> None:
        self._wanted = effective(self.draft, "num_steps")
        self._moved_from = None
        self.refresh()

    def _word(self, steps: int) -> str:
        share = steps / self.draft.config.runtime_config.num_steps
        if share <= 0.5:
            return self.tr("Fast")
        if share < 1:
            return self.tr("Quick")
        return self.tr("Balanced") if share < 1.5 else self.tr("Fine")

    @Slot(int)
    def _slid(self, index: int) -> None:
        choose(self.draft, num_steps=self._legal[index])
        self._remember()


class WindowRow(Field):
    """How many chunks are denoised together."""

    def __init__(self, draft: Draft, quality: QualityRow, parent: QWidget | None = None) -> None:
        super().__init__(draft, ("window_size",), parent=parent)
        self._quality = quality
        self.slider = slider(self, 1, MAX_WINDOW)
        self.slider.setTickInterval(1)
        self.slider.valueChanged.connect(quality.fit_window)
        self.set_up(
            self.tr("&Chunks at once"),
            self.slider,
            self.tr("How many seconds of video are worked on together."),
        )

    @Slot()
    def reset(self) -> None:
        self._quality.fit_window(self.draft.config.runtime_config.window_size)

    def refresh(self) -> None:
        window = effective(self.draft, "window_size")
        with QSignalBlocker(self.slider):
            self.slider.setValue(window)
        self.value.setText(str(window))
        self.slider.setAccessibleDescription(self.value.text())
        self.say(self._sentence(window))

    def _sentence(self, window: int) -> str:
        if window == 1:
            return self.tr("One at a time: the first second comes soonest, in the least memory.")
        if window <= 4:
            text = self.tr("{} overlap: a later first second, then a faster flow on a GPU.")
        else:
            text = self.tr("{} overlap: the latest first second, and the most memory.")
        return text.format(window)

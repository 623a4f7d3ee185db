"""A column with a card for every model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QWidget

from magi_desktop.dialogs.model_card import ModelCard
from magi_desktop.state.machine import MachineState
from magi_desktop.state.models import Models
from magi_desktop.theme import tokens as t
from magi_desktop.widgets.gradual import Gradually
from magi_desktop.widgets.layout import Box
from magi_engine.install.status import ModelStatus
from magi_engine.runtime.machine.facts import MachineFacts
from magi_engine.runtime.planning.prospects import Prospect


class ModelCards(Box):
    """Keeps the cards of models as the models, the machine and the one in use are.

    A card is made in each turn of the event loop, so that the window answers in between.

    Args:
        machine: what the verdicts on the cards are about.
        used: the name of the model that videos are made with; "" if no card should say so.
        only_downloaded: leave out the models that come with the program.
        parent: of the cards.

    Signals:
        use_wanted, download_wanted: those of each card.
    """

    use_wanted = Signal(str)
    download_wanted = Signal(str)

    def __init__(
        self,
        models: Models,
        machine: MachineState,
        parent: QWidget,
        *,
        used: Callable[[], str] = str,
        only_downloaded: bool = False,
    ) -> None:
        super().__init__(Box.Direction.TopToBottom)
        self.setSpacing(t.SPACE_3)
        self.cards: dict[str, ModelCard] = {}
        self._models, self._machine, self._parent = models, machine, parent
        self._used, self._only_downloaded = used, only_downloaded
        self._prospects: dict[str, Prospect] = {}
        self._adding = Gradually(self._add_next, self)
        models.changed.connect(self.show_statuses)
        machine.changed.connect(self._judge)
        self.show_statuses()

    @Slot()
    def show_statuses(self) -> None:
        """Say anew what is here and what is in use."""
        statuses = self._statuses()
        for gone in self.cards.keys() - {status.entry.name for status in statuses}:
            self.cards.pop(gone).deleteLater()  # an entry of the user's that was removed
        for status in statuses:
            if status.entry.name in self.cards:
                self._show_status(status)
        if any(status.entry.name not in self._prospects for status in statuses):
            self._judge()
        self._adding.start()

    def _statuses(self) -> Sequence[ModelStatus]:
        known = self._models.statuses
        return [s for s in known if s.entry.is_downloaded or not self._only_downloaded]

    def _add_next(self) -> bool:
        """Make the first card that is not there yet; whether there was one to make."""
        for place, status in enumerate(self._statuses()):
            if status.entry.name not in self.cards:
                self._add(status, place)
                return True
        return False

    def _add(self, status: ModelStatus, place: int) -> None:
        card = ModelCard(self._models, status, self._parent)
        self.cards[card.name] = card
        self._show_status(status)
        card.use_wanted.connect(self.use_wanted)
        card.download_wanted.connect(self.download_wanted)
        self.insertWidget(place, card)
        if card.name in self._prospects and self._machine.facts is not None:
            card.show_prospect(self._prospects[card.name], self._machine.facts)

    def _show_status(self, status: ModelStatus) -> None:
        name = status.entry.name
        removable = self._models.removable_bytes.get(name, 0)
        self.cards[name].show_status(status, name == self._used(), removable)

    @Slot()
    def _judge(self) -> None:
        if (facts := self._machine.facts) is not None:
            self._machine.judge(partial(self.show_prospects, facts), self)

    def show_prospects(self, facts: MachineFacts, prospects: dict[str, Prospect]) -> None:
        """Say how each model would run on the machine that ``facts`` tells of."""
        self._prospects = prospects
        for name in prospects.keys() & self.cards.keys():
            self.cards[name].show_prospect(prospects[name], facts)

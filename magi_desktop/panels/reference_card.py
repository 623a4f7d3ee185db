"""A reference that was chosen: what it is, how it is fitted, which part of it is used."""

from __future__ import annotations

import dataclasses

from PySide6.QtCore import QCoreApplication, QLocale, Qt, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QCheckBox,
    QFrame,
    QPushButton,
    QWidget,
)

from magi_desktop.panels.clip_editor import ClipEditor
from magi_desktop.panels.crop import CropView
from magi_desktop.panels.crop_geometry import CropGeometry
from magi_desktop.panels.values import aspect_size
from magi_desktop.references import LoadedReference
from magi_desktop.state.draft import Draft, Reference
from magi_desktop.theme import tokens as t
from magi_desktop.translation import translated
from magi_desktop.widgets.controls import (
    ElidedLabel,
    icon_button,
    push_button,
    text_label,
)
from magi_desktop.widgets.layout import hbox, vbox
from magi_desktop.widgets.segmented import Segment, Segmented
from magi_engine.media.fit import FitPolicy
from magi_engine.media.info import MediaInfo, MediaKind
from magi_engine.messages import Message
from magi_engine.runtime.request.request import Mode

translate = QCoreApplication.translate

_SI = QLocale.DataSizeFormat.DataSizeSIFormat


class ReferenceCard(QFrame):
    """Shows the draft's reference; every change goes to the draft at once. Choosing another file
    and removing this one are the owner's: see ``ReferencePanel``."""

    def __init__(self, draft: Draft, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._draft = draft
        self._loaded: LoadedReference | None = None
        self.setProperty("role", "card")
        self.view = CropView(self)
        self.view.crop_changed.connect(lambda crop: self._change(crop=crop))
        self.name = ElidedLabel(self)
        self.facts = ElidedLabel(self, Qt.TextElideMode.ElideRight)
        self.facts.setProperty("role", "caption")
        self.limits = text_label("", "warning", self)
        hint = self.tr("A coloured ball, such as this model can set in motion.")
        self.sample_button = push_button(self.tr("Use a sample picture"), hint, self)
        self.missing = text_label("", "error", self)
        self.missing.hide()
        self.choose_button = icon_button(
            "folder", self.tr("Choose another file"), self.tr("Choose another file."), self
        )
        self.remove_button = icon_button(
            "close", self.tr("Remove the reference"), self.tr("Take it out again."), self
        )
        self.fits = self._fit_choice()
        self.used = text_label("", "caption", self)
        self.shape_button = QPushButton(self)
        self.shape_button.clicked.connect(self.use_shape)
        self.clip = ClipEditor(self)
        self.clip.part_changed.connect(lambda part: self._change(clip=part))
        self.clip.junction_ready.connect(self._show_junction)
        self.prepend = QCheckBox(self.tr("Put the source in front of the result"), self)
        self.prepend.setToolTip(
            self.tr("The file begins with the source video and goes on with the new one.")
        )
        self.prepend.toggled.connect(self._prepend_toggled)
        self._lay_out()

    def show_reference(self, reference: Reference, loaded: LoadedReference | None) -> None:
        """Show a reference; without ``loaded`` only what the draft knows of it."""
        info = reference.info
        self.name.set_text(reference.path.name)
        self.name.setToolTip(str(reference.path))
        self.facts.set_text(facts(info, loaded))
        if loaded is not self._loaded:
            self._loaded = loaded
            picture = QImage() if loaded is None else loaded.thumbnail
            # Where pixels are not square, the true width can be half a pixel less.
            slack = 0.5 if info.kind is MediaKind.VIDEO else 0.0
            self.view.set_picture(picture, info.width - slack, info.height - slack)
        self.view.set_fit(reference.fit)
        self.view.set_crop(reference.crop)
        self.fits.set_value(reference.fit)
        video = info.kind is MediaKind.VIDEO
        self.clip.setVisible(video and loaded is not None)
        self.prepend.setVisible(video)
        self.prepend.setChecked(reference.prepend_source)
        if video and loaded is not None and loaded.duration_s is not None:
            self.clip.set_clip(reference.path, info, loaded.duration_s, self._fps)
            self.clip.set_part(reference.clip)
        elif not video:
            self.clip.forget()
        self._show_target(reference)

    def show_limits(self, limits: Message) -> None:
        """Say what the model would make of it, where that is not what one expects."""
        self.limits.setText(translated(limits))
        self.limits.setVisible(bool(limits))
        reference = self._draft.reference
        picture = reference is not None and reference.mode is Mode.I2V
        self.sample_button.setVisible(bool(limits) and picture)

    def show_target(self) -> None:
        """Follow the size and rate of the video."""
        reference = self._draft.reference
        if reference is not None:
            self._show_target(reference)
            self._fit_crop(reference)

    def _show_target(self, reference: Reference) -> None:
        settings = self._draft.settings
        self.view.set_target(settings.width, settings.height)
        info = reference.info
        whole = CropGeometry(info.width, info.height, settings.width / settings.height).is_whole
        self.fits.setVisible(not whole)
        if info.kind is MediaKind.IMAGE:
            self.shape_button.setText(self.tr("Use the image's shape"))
        else:
            self.shape_button.setText(self.tr("Use the video's shape"))
        size = self._size_of_shape(info)
        self.shape_button.setToolTip(
            self.tr("Make the video {width} x {height}, which comes closest.").format(
                width=size[0], height=size[1]
            )
        )
        self.shape_button.setVisible(not whole and size != (settings.width, settings.height))
        frame = self.view.frame
        partial = not whole or frame != self.view.geometry_.largest
        self.used.setVisible(reference.fit is FitPolicy.CROP and partial)
        self.used.setText(
            self.tr("Uses {used} of {all} pixels.").format(
                used=f"{frame.width:.0f} × {frame.height:.0f}",
                all=f"{info.width} × {info.height}",
            )
        )
        loaded = self._loaded
        if loaded is not None and loaded.duration_s is not None:
            self.clip.set_clip(reference.path, info, loaded.duration_s, self._fps)

    @Slot()
    def use_shape(self) -> None:
        """Give the video the nearest legal size in the reference's shape, about as large as now."""
        reference = self._draft.reference
        if reference is not None:
            width, height = self._size_of_shape(reference.info)
            self._draft.set(width=width, height=height)

    @property
    def _fps(self) -> float:
        return self._draft.settings.fps or self._draft.config.runtime_config.fps

    def _size_of_shape(self, info: MediaInfo) -> tuple[int, int]:
        settings = self._draft.settings
        return aspect_size(info.width / info.height, settings.width * settings.height)

    def _fit_crop(self, reference: Reference) -> None:
        """A frame that was chosen for another shape of video is replaced by what is shown."""
        if reference.fit is FitPolicy.CROP and reference.crop is not None:
            frame = self.view.frame
            crop = None if frame == self.view.geometry_.largest else frame
            if crop != reference.crop:
                self._change(crop=crop)

    def _fit_choice(self) -> Segmented[FitPolicy]:
        segments = Segmented(
            [
                Segment(
                    FitPolicy.CROP,
                    self.tr("Crop"),
                    self.tr("Fill the video and cut off what stands over."),
                ),
                Segment(
                    FitPolicy.PAD,
                    self.tr("Bars"),
                    self.tr("Show all of it, with black bars where nothing is."),
                ),
                Segment(
                    FitPolicy.STRETCH,
                    self.tr("Stretch"),
                    self.tr("Distort it to the shape of the video."),
                ),
            ],
            self.tr("Fit into the video"),
            self,
        )
        segments.chosen.connect(lambda fit: self._change(fit=fit, crop=None))
        return segments

    def _lay_out(self) -> None:
        vbox(self, t.SPACE_2, t.SPACE_3).add(
            hbox(spacing=t.SPACE_1).add(
                (vbox(spacing=0).add(self.name, self.facts), 1),
                self.choose_button,
                self.remove_button,
            ),
            self.missing,
            self.limits,
            (self.sample_button, 0, Qt.AlignmentFlag.AlignLeft),
            self.view,
            self.used,
            self.fits,
            (self.shape_button, 0, Qt.AlignmentFlag.AlignLeft),
            t.SPACE_1,
            self.clip,
            self.prepend,
        )

    def _change(self, **values: object) -> None:
        reference = self._draft.reference
        if reference is not None:
            self._draft.set_reference(dataclasses.replace(reference, **values))  # type: ignore[arg-type]

    @Slot(bool)
    def _prepend_toggled(self, on: bool) -> None:
        reference = self._draft.reference
        if reference is not None and reference.mode is Mode.V2V:
            self._change(prepend_source=on)

    @Slot(object)
    def _show_junction(self, picture: QImage) -> None:
        reference = self._draft.reference
        if reference is not None and reference.mode is Mode.V2V:
            info = reference.info
            self.view.set_picture(picture, info.width - 0.5, info.height - 0.5)


def facts(info: MediaInfo, loaded: LoadedReference | None) -> str:
    """Size, length, rate and weight of a file, in one line."""
    parts = [f"{info.width} × {info.height}"]
    duration = info.duration_s if loaded is None else loaded.duration_s
    if duration is not None:
        whole = round(duration)
        clock = f"{whole // 60}:{whole % 60:02d}"
        parts.append(
            clock if duration >= 60 else translate("ReferenceCard", "{:.1f} s").format(duration)
        )
    if info.fps is not None:
        parts.append(translate("ReferenceCard", "{:.4g} fps").format(info.fps))
    if loaded is not None:
        parts.append(QLocale().formattedDataSize(loaded.file_bytes, 1, _SI))
    return " · ".join(parts)

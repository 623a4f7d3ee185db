"""The engine's sentences in the language of the window.

The engine speaks English and knows nothing of translations. What it says is recognised here by its
pattern; a sentence that is not in the table stays as it is.
"""

from __future__ import annotations

import copy
import re
from functools import lru_cache

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from magi_engine.errors import MagiError

SENTENCES = (
    # The window's own, raised where there is no QObject to translate them.
    QT_TRANSLATE_NOOP("Engine", "This mode starts from an image."),
    QT_TRANSLATE_NOOP("Engine", "Drop an image onto the window or choose a file."),
    QT_TRANSLATE_NOOP("Engine", "This mode starts from a video."),
    QT_TRANSLATE_NOOP("Engine", "Drop a video onto the window or choose a file."),
    QT_TRANSLATE_NOOP("Engine", "The folder for videos cannot be made: {a}"),
    QT_TRANSLATE_NOOP("Engine", "Choose another in the preferences."),
    QT_TRANSLATE_NOOP("Engine", "{a} is not a video."),
    QT_TRANSLATE_NOOP("Engine", "It may be damaged."),
    # The set-up's.
    QT_TRANSLATE_NOOP(
        "Engine", "There is too little space in {a}: {b} GB are needed, {c} GB are free."
    ),
    QT_TRANSLATE_NOOP("Engine", "Free some space, then try again."),
    QT_TRANSLATE_NOOP("Engine", "Free some space, then try again: what was fetched is kept."),
    QT_TRANSLATE_NOOP("Engine", "The packages could not be looked up."),
    QT_TRANSLATE_NOOP(
        "Engine", "Connect to the network, then try again: what was fetched is kept."
    ),
    QT_TRANSLATE_NOOP("Engine", "The packages could not be installed."),
    QT_TRANSLATE_NOOP("Engine", "The environment could not be made."),
    QT_TRANSLATE_NOOP("Engine", "What was installed does not start."),
    QT_TRANSLATE_NOOP("Engine", "Choose “Without a GPU”, or report it with the log."),
    # What does not load.
    QT_TRANSLATE_NOOP("Engine", "A library that Windows should have is missing or too old."),
    QT_TRANSLATE_NOOP("Engine", "Install Microsoft's Visual C++ runtime for x64, then try again."),
    QT_TRANSLATE_NOOP("Engine", "The system lacks the library {a}."),
    QT_TRANSLATE_NOOP("Engine", "Install the package that contains it, then try again."),
    QT_TRANSLATE_NOOP("Engine", "The system is too old: it lacks {a}."),
    QT_TRANSLATE_NOOP("Engine", "Use a newer version of it."),
    QT_TRANSLATE_NOOP("Engine", "There is too little memory to start."),
    QT_TRANSLATE_NOOP(
        "Engine",
        "Close other programs, then try again; on Windows, let it choose its paging file's size.",
    ),
    QT_TRANSLATE_NOOP("Engine", "Windows does not let what was installed start."),
    QT_TRANSLATE_NOOP(
        "Engine", "Allow it in your virus scanner or under App & browser control, then try again."
    ),
    QT_TRANSLATE_NOOP(
        "Engine", "What was installed lies on a disk from which no program may be run."
    ),
    QT_TRANSLATE_NOOP("Engine", "Have it mounted without the option noexec, then try again."),
    QT_TRANSLATE_NOOP("Engine", "This computer's processor is too old for the program."),
    QT_TRANSLATE_NOOP("Engine", "Use a computer with a newer one."),
    QT_TRANSLATE_NOOP("Engine", "What was installed takes more than five minutes to start."),
    QT_TRANSLATE_NOOP(
        "Engine", "Try again: it is quicker once a virus scanner has seen every file."
    ),
    QT_TRANSLATE_NOOP("Engine", "The package {a} arrived damaged."),
    QT_TRANSLATE_NOOP("Engine", "Try again, or from another network."),
    QT_TRANSLATE_NOOP("Engine", "The package {a} is not the one this version was made with."),
    QT_TRANSLATE_NOOP("Engine", "Get its file again, or a newer version of the program."),
    QT_TRANSLATE_NOOP("Engine", "Not all packages are in {a}."),
    QT_TRANSLATE_NOOP("Engine", "Choose a folder with all of them."),
    QT_TRANSLATE_NOOP("Engine", "The connection was lost."),
    QT_TRANSLATE_NOOP("Engine", "Python 3.12 could not be fetched."),
    QT_TRANSLATE_NOOP("Engine", "The set-up failed."),
    QT_TRANSLATE_NOOP("Engine", "The set-up runs already."),
    QT_TRANSLATE_NOOP("Engine", "Wait until it has finished."),
    QT_TRANSLATE_NOOP("Engine", "Magi Desktop is running."),
    QT_TRANSLATE_NOOP("Engine", "Close it, then try again."),
    QT_TRANSLATE_NOOP("Engine", "The set-up could not be started."),
    QT_TRANSLATE_NOOP("Engine", "Start Magi Desktop again from the menu."),
    # The engine's.
    QT_TRANSLATE_NOOP("Engine", "There is no file {a}."),
    QT_TRANSLATE_NOOP("Engine", "Check the name and the folder."),
    QT_TRANSLATE_NOOP("Engine", "{a} is a folder, not a file."),
    QT_TRANSLATE_NOOP("Engine", "Choose a file in it."),
    QT_TRANSLATE_NOOP("Engine", "{a} is empty."),
    QT_TRANSLATE_NOOP("Engine", "Choose another file."),
    QT_TRANSLATE_NOOP("Engine", "{a} cannot be read."),
    QT_TRANSLATE_NOOP("Engine", "Check that you have permission to open it."),
    QT_TRANSLATE_NOOP("Engine", "{a} is not an image or a video that can be read."),
    QT_TRANSLATE_NOOP("Engine", "{a} is not an image that can be read."),
    QT_TRANSLATE_NOOP("Engine", "It may be damaged or in an unknown format: choose another file."),
    QT_TRANSLATE_NOOP("Engine", "{a} holds no frame that can be read."),
    QT_TRANSLATE_NOOP("Engine", "It may be damaged or cut off: choose another video."),
    QT_TRANSLATE_NOOP("Engine", "{a} holds no video track."),
    QT_TRANSLATE_NOOP("Engine", "{a} has more than {b} million pixels."),
    QT_TRANSLATE_NOOP("Engine", "Scale it down first: a video frame needs far fewer."),
    QT_TRANSLATE_NOOP("Engine", "{a} is only {b}x{c} pixels."),
    QT_TRANSLATE_NOOP("Engine", "Choose a picture of at least {a}x{b}."),
    QT_TRANSLATE_NOOP("Engine", "{a} has only {b} frames at {c} frames/s in this part."),
    QT_TRANSLATE_NOOP(
        "Engine", "A video can start from {a} frames or more: choose a longer part or clip."
    ),
    QT_TRANSLATE_NOOP("Engine", "{a} cannot be written in {b}."),
    QT_TRANSLATE_NOOP("Engine", "Choose a folder you may write to."),
    QT_TRANSLATE_NOOP("Engine", "There is no folder {a}."),
    QT_TRANSLATE_NOOP("Engine", "Create it or choose another."),
    QT_TRANSLATE_NOOP("Engine", "{a} is in use."),
    QT_TRANSLATE_NOOP("Engine", "Close what uses it, then try again."),
    QT_TRANSLATE_NOOP("Engine", "No space is left to write {a}."),
    QT_TRANSLATE_NOOP("Engine", "Free some space or use another disk."),
    QT_TRANSLATE_NOOP("Engine", "The disk is full."),
    QT_TRANSLATE_NOOP("Engine", "Free some space; what was finished so far has been kept."),
    QT_TRANSLATE_NOOP("Engine", "The engine has stopped unexpectedly."),
    QT_TRANSLATE_NOOP("Engine", "Try again; if it happens again, report it with the log."),
    QT_TRANSLATE_NOOP(
        "Engine", "The system has ended the engine, most likely because the memory ran out."
    ),
    QT_TRANSLATE_NOOP("Engine", "Close other programs or choose a smaller size, then try again."),
    QT_TRANSLATE_NOOP("Engine", "The engine could not be started."),
    QT_TRANSLATE_NOOP("Engine", "Close other programs, then try again."),
    QT_TRANSLATE_NOOP("Engine", "Something unexpected went wrong ({a})."),
    QT_TRANSLATE_NOOP("Engine", "Please report it with the details from the log."),
    QT_TRANSLATE_NOOP("Engine", "There is not enough memory for this video."),
    QT_TRANSLATE_NOOP("Engine", "Choose a smaller size, a smaller window or a smaller model."),
    QT_TRANSLATE_NOOP("Engine", "{a} needs {b} GB of memory on {c}, but only {d} GB are free."),
    QT_TRANSLATE_NOOP(
        "Engine", "Close other programs, or choose a smaller model or another device."
    ),
    QT_TRANSLATE_NOOP("Engine", "The prompt has {a} tokens; only the first {b} of them count."),
    QT_TRANSLATE_NOOP("Engine", "Not read by the model, or only in part: “{a}”."),
    QT_TRANSLATE_NOOP("Engine", "Nothing of this prompt is read by the model: “{a}”."),
    QT_TRANSLATE_NOOP(
        "Engine", "Chunk {a} has already started; the new prompt applies from chunk {b} on."
    ),
    QT_TRANSLATE_NOOP(
        "Engine", "The prompt stays as it was: no chunk is left that has not started."
    ),
    QT_TRANSLATE_NOOP(
        "Engine", "There was too little graphics memory; the video goes on more slowly."
    ),
    QT_TRANSLATE_NOOP("Engine", "This model usually wants {a} steps; {b} may look unfinished."),
    QT_TRANSLATE_NOOP("Engine", "8 steps are noisy with an fp8 model; 16 look better."),
    QT_TRANSLATE_NOOP("Engine", "A video cannot be {a} seconds long."),
    QT_TRANSLATE_NOOP("Engine", "Ask for more than 0 seconds."),
    QT_TRANSLATE_NOOP(
        "Engine",
        "A prompt is given for chunk {a}, but the video ends with chunk {b}.",
    ),
    QT_TRANSLATE_NOOP("Engine", "Choose an earlier chunk or a longer video."),
    QT_TRANSLATE_NOOP("Engine", "A video without an end cannot look back without a limit."),
    QT_TRANSLATE_NOOP("Engine", "Set a KV range, for example 5,4,3,2, or a length."),
    QT_TRANSLATE_NOOP("Engine", "{a} carries no settings of this program."),
    QT_TRANSLATE_NOOP("Engine", "Choose a video that was generated with it."),
    QT_TRANSLATE_NOOP("Engine", "There is no model called {a}."),
    QT_TRANSLATE_NOOP("Engine", "Known models: {a}."),
    QT_TRANSLATE_NOOP("Engine", "{a} has not been made on this machine yet."),
    QT_TRANSLATE_NOOP("Engine", "{a} is made on this machine."),
    QT_TRANSLATE_NOOP("Engine", "{a}, which was made on this machine, is damaged."),
    QT_TRANSLATE_NOOP("Engine", "Make it with: magi models quantize {a}"),
    QT_TRANSLATE_NOOP("Engine", "{a} is damaged, incomplete or cannot be read."),
    QT_TRANSLATE_NOOP("Engine", "{a} is not complete, its {b} cannot be used: {c}."),
    QT_TRANSLATE_NOOP("Engine", "Download the model, or give the folder of models that holds it."),
    # What a video needs, and what would fit.
    QT_TRANSLATE_NOOP("Engine", "This needs {a} GB of graphics memory; {b} GB are free."),
    QT_TRANSLATE_NOOP("Engine", "This needs {a} GB of memory; {b} GB are free."),
    QT_TRANSLATE_NOOP("Engine", "This needs {a} GB of room on the disk; {b} GB are free."),
    QT_TRANSLATE_NOOP("Engine", "Denoise one chunk at a time."),
    QT_TRANSLATE_NOOP("Engine", "Make the picture {a}x{b}."),
    QT_TRANSLATE_NOOP("Engine", "Use {a}."),
    QT_TRANSLATE_NOOP("Engine", "Make {a} frames."),
    # Getting models.
    QT_TRANSLATE_NOOP("Engine", "{a} is ready."),
    QT_TRANSLATE_NOOP(
        "Engine", "{a} is ready. {b} GB of its original text encoder may be deleted."
    ),
    QT_TRANSLATE_NOOP("Engine", "The text encoder of {a} is small now."),
    QT_TRANSLATE_NOOP(
        "Engine", "The text encoder of {a} is small now. {b} GB of the original may be deleted."
    ),
    QT_TRANSLATE_NOOP("Engine", "Damaged files of {a}: {b}. They can be downloaded again."),
    QT_TRANSLATE_NOOP("Engine", "All files of {a} are as they were published."),
    QT_TRANSLATE_NOOP("Engine", "Nothing of {a} was downloaded or added here."),
    QT_TRANSLATE_NOOP("Engine", "Download it first."),
    QT_TRANSLATE_NOOP("Engine", "Ready to use: {a}."),
    QT_TRANSLATE_NOOP("Engine", "Found parts of: {a}."),
    QT_TRANSLATE_NOOP("Engine", "There is no {a}."),
    QT_TRANSLATE_NOOP("Engine", "No released model was found in {a}."),
    QT_TRANSLATE_NOOP("Engine", "Choose the folder that holds “ckpt” or “downloads”."),
    QT_TRANSLATE_NOOP("Engine", "Nothing can be linked into {a}."),
    QT_TRANSLATE_NOOP("Engine", "Choose another folder of models."),
    QT_TRANSLATE_NOOP("Engine", "Damaged files: {a}."),
    QT_TRANSLATE_NOOP("Engine", "Prompts"),
    QT_TRANSLATE_NOOP("Engine", "Programs for the graphics card"),
    QT_TRANSLATE_NOOP("Engine", "There is no attention called {a}."),
    QT_TRANSLATE_NOOP("Engine", "What was not downloaded to its end"),
    QT_TRANSLATE_NOOP("Engine", "The original text encoder"),
    QT_TRANSLATE_NOOP("Engine", "The small text encoder"),
    QT_TRANSLATE_NOOP("Engine", "Free some space, or choose another folder of models."),
    QT_TRANSLATE_NOOP("Engine", "Check its permissions."),
    QT_TRANSLATE_NOOP("Engine", "Wait until it is done, or stop it there."),
    QT_TRANSLATE_NOOP("Engine", "Free some space; the download goes on where it stopped."),
    QT_TRANSLATE_NOOP("Engine", "{a} cannot be written."),
    QT_TRANSLATE_NOOP("Engine", "The file {a} came with other content than was announced."),
    QT_TRANSLATE_NOOP("Engine", "Try again later, or without a mirror."),
    QT_TRANSLATE_NOOP("Engine", "{a} cannot be fetched: the network or the server fails."),
    QT_TRANSLATE_NOOP(
        "Engine", "Check the network, then start the download again: it goes on where it was."
    ),
    QT_TRANSLATE_NOOP("Engine", "The hub does not give {a} to everybody."),
    QT_TRANSLATE_NOOP("Engine", "Ask for access on its page, then sign in with: hf auth login"),
    QT_TRANSLATE_NOOP("Engine", "The hub does not have {a}."),
    QT_TRANSLATE_NOOP("Engine", "The hub refuses {a} (status {b})."),
    QT_TRANSLATE_NOOP("Engine", "Try again later."),
    QT_TRANSLATE_NOOP("Engine", "The hub of models cannot be reached."),
    QT_TRANSLATE_NOOP("Engine", "Check the network, the proxy or HF_ENDPOINT."),
    QT_TRANSLATE_NOOP("Engine", "What answers is not a hub of models."),
    QT_TRANSLATE_NOOP("Engine", "Sign in to the network if it asks for that; check HF_ENDPOINT."),
    QT_TRANSLATE_NOOP("Engine", "{a} GB of room are needed, {b} GB are free in {c}."),
    QT_TRANSLATE_NOOP("Engine", "Another program is changing {a} already."),
    QT_TRANSLATE_NOOP("Engine", "The hub has replaced {a} in the meantime."),
    QT_TRANSLATE_NOOP("Engine", "Start the download again."),
    QT_TRANSLATE_NOOP("Engine", "The hub does not have {a}, or it is private."),
    QT_TRANSLATE_NOOP(
        "Engine", "Check the repository's name; if it is private, sign in with: hf auth login"
    ),
    QT_TRANSLATE_NOOP("Engine", "The hub does not accept the token that was sent for {a}."),
    QT_TRANSLATE_NOOP("Engine", "Sign in again with: hf auth login"),
    QT_TRANSLATE_NOOP("Engine", "Update the program, or choose another repository."),
    QT_TRANSLATE_NOOP("Engine", "The hub has too much to do."),
    QT_TRANSLATE_NOOP("Engine", "Try again in some minutes."),
    QT_TRANSLATE_NOOP("Engine", "The hub's certificate is not valid at this computer's date."),
    QT_TRANSLATE_NOOP("Engine", "Set the computer's clock right, then try again."),
    QT_TRANSLATE_NOOP("Engine", "The hub's certificate is not trusted here."),
    QT_TRANSLATE_NOOP(
        "Engine", "Have the certificate of your network's proxy installed on this computer."
    ),
    QT_TRANSLATE_NOOP("Engine", "The disk cannot hold a file as large as {a}."),
    QT_TRANSLATE_NOOP("Engine", "Choose a folder of models on another disk."),
    QT_TRANSLATE_NOOP("Engine", "{a} is not downloaded."),
    QT_TRANSLATE_NOOP("Engine", "Choose one of the released models."),
    QT_TRANSLATE_NOOP("Engine", "{a} is not made here."),
    QT_TRANSLATE_NOOP("Engine", "Download it."),
    QT_TRANSLATE_NOOP("Engine", "Damaged files of {a}: {b}. Put the right ones in their place."),
    QT_TRANSLATE_NOOP("Engine", "All files of {a} are whole; from now on any change is noticed."),
    QT_TRANSLATE_NOOP(
        "Engine", "All files of {a} are whole; what was published could not be asked."
    ),
    QT_TRANSLATE_NOOP("Engine", "Files that are not as they were published: {a}."),
    QT_TRANSLATE_NOOP("Engine", "The files of {a} have not been checked yet, or were changed."),
    QT_TRANSLATE_NOOP("Engine", "Check them with: magi models verify {a}"),
    # What the files of a model hold.
    QT_TRANSLATE_NOOP("Engine", "{a} does not describe a ViT autoencoder."),
    QT_TRANSLATE_NOOP("Engine", "Use the config.json that belongs to the autoencoder's weights."),
    QT_TRANSLATE_NOOP("Engine", "Use the released autoencoder's config.json."),
    QT_TRANSLATE_NOOP("Engine", "Download the autoencoder again."),
    QT_TRANSLATE_NOOP(
        "Engine", "The folder {a} holds no weights (looked for an index file and for {b})."
    ),
    QT_TRANSLATE_NOOP("Engine", "Download the model's files, or give the folder that holds them."),
    QT_TRANSLATE_NOOP("Engine", "The file {a} is missing."),
    QT_TRANSLATE_NOOP("Engine", "{a} holds more than one checkpoint ({b})."),
    QT_TRANSLATE_NOOP("Engine", "Give the index to use."),
    QT_TRANSLATE_NOOP("Engine", "The index {a} cannot be read."),
    QT_TRANSLATE_NOOP("Engine", "The index {a} is damaged."),
    QT_TRANSLATE_NOOP("Engine", "Download that file again."),
    QT_TRANSLATE_NOOP("Engine", "The index {a} names the file {b}, which is not in its folder."),
    QT_TRANSLATE_NOOP("Engine", "Use weights from the official release."),
    QT_TRANSLATE_NOOP(
        "Engine", "{a}: there is no folder {b} (runtime_config.{c}; looked for {d})."
    ),
    QT_TRANSLATE_NOOP("Engine", "Download the model's files, or correct that field."),
    QT_TRANSLATE_NOOP("Engine", "{a}: the field runtime_config.{b} is empty."),
    QT_TRANSLATE_NOOP("Engine", "Write the folder of the model's files into it."),
    QT_TRANSLATE_NOOP("Engine", "{a} was made from an older {b}."),
    QT_TRANSLATE_NOOP("Engine", "{a} lacks the tensor {b}."),
    QT_TRANSLATE_NOOP(
        "Engine", "The tensor {a} in {b} has the shape {c} where the model needs {d}."
    ),
    QT_TRANSLATE_NOOP("Engine", "The tensor {a} in {b} is of type {c} where the model needs {d}."),
    QT_TRANSLATE_NOOP("Engine", "{a} holds the tensor {b}, which this model does not have."),
    QT_TRANSLATE_NOOP("Engine", "The tensor {a} is in both {b} and {c}."),
    QT_TRANSLATE_NOOP("Engine", "Remove the file that does not belong to the checkpoint."),
    QT_TRANSLATE_NOOP("Engine", "{a} is no known kind of weights."),
    QT_TRANSLATE_NOOP("Engine", "Weights are .safetensors, .safetensors.zst or .bin files."),
    QT_TRANSLATE_NOOP("Engine", "The tensor {a} in {b} has the unsupported type {c}."),
    QT_TRANSLATE_NOOP("Engine", "{a} is not a table of named tensors."),
    QT_TRANSLATE_NOOP(
        "Engine", "{a} holds something other than plain tensors; nothing in it was run."
    ),
    QT_TRANSLATE_NOOP("Engine", "The tokenizer in {a} has {b} tokens, but its encoder knows {c}."),
    QT_TRANSLATE_NOOP("Engine", "{a} describes no T5 encoder."),
    QT_TRANSLATE_NOOP("Engine", "{a} was made in a way this version does not know."),
    QT_TRANSLATE_NOOP("Engine", "Convert the text encoder again."),
    QT_TRANSLATE_NOOP("Engine", "The tensor {a} holds numbers that are not finite."),
    QT_TRANSLATE_NOOP("Engine", "Download the text encoder's files again."),
    QT_TRANSLATE_NOOP("Engine", "{a} GB are needed in {b}, but only {c} GB are free."),
    QT_TRANSLATE_NOOP("Engine", "The disk of {a} is full."),
    QT_TRANSLATE_NOOP("Engine", "The disk of {a} cannot hold a file of this size."),
    QT_TRANSLATE_NOOP("Engine", "Free some space, then try again; it goes on where it was."),
    QT_TRANSLATE_NOOP("Engine", "{a} cannot be written to."),
    QT_TRANSLATE_NOOP("Engine", "Check that you may write there."),
    QT_TRANSLATE_NOOP("Engine", "{a} is being made by another program."),
    QT_TRANSLATE_NOOP("Engine", "Wait until it is done."),
    QT_TRANSLATE_NOOP("Engine", "Use other weights, or calibrate in float32."),
    QT_TRANSLATE_NOOP("Engine", "The layer {a} computes with numbers that are not finite."),
    QT_TRANSLATE_NOOP("Engine", "Connect the disk that it is on, then try again."),
    # Models of the user's own.
    QT_TRANSLATE_NOOP("Engine", "Added: {a}."),
    QT_TRANSLATE_NOOP("Engine", "Models are downloaded from {a}."),
    QT_TRANSLATE_NOOP("Engine", "Models are downloaded from the hub itself."),
    QT_TRANSLATE_NOOP("Engine", "Like {a}; added from {b}."),
    QT_TRANSLATE_NOOP("Engine", "The folder {a} is not there."),
    QT_TRANSLATE_NOOP("Engine", "{a} is neither a folder nor a repository of the hub."),
    QT_TRANSLATE_NOOP("Engine", "Give a folder, owner/repository, or the repository's address."),
    QT_TRANSLATE_NOOP("Engine", "The folder {a} holds no weights."),
    QT_TRANSLATE_NOOP("Engine", "Choose the folder that holds the weights."),
    QT_TRANSLATE_NOOP("Engine", "{a} is no released model."),
    QT_TRANSLATE_NOOP("Engine", "Choose one of: {a}."),
    QT_TRANSLATE_NOOP("Engine", "No model in the official layout was found in {a}."),
    QT_TRANSLATE_NOOP(
        "Engine",
        "Choose the folder that holds “ckpt” or “downloads”, or say what kind of model it is.",
    ),
    QT_TRANSLATE_NOOP("Engine", "The weights in {a} are not those of a {b}."),
    QT_TRANSLATE_NOOP("Engine", "Say what kind of model it is."),
    QT_TRANSLATE_NOOP("Engine", "The repository {a} holds no model in the official layout."),
    QT_TRANSLATE_NOOP("Engine", "Choose one that has folders such as ckpt/magi/4.5B_distill."),
    QT_TRANSLATE_NOOP("Engine", "{a} is not the address of a hub."),
    QT_TRANSLATE_NOOP("Engine", "Give one such as https://huggingface.co"),
    QT_TRANSLATE_NOOP("Engine", "Get that file again."),
    QT_TRANSLATE_NOOP("Engine", "A model cannot be called {a}."),
    QT_TRANSLATE_NOOP("Engine", "Use up to 40 letters, digits, dots, dashes and underscores."),
    QT_TRANSLATE_NOOP("Engine", "There is a model called {a} already."),
    QT_TRANSLATE_NOOP("Engine", "Use another name."),
    QT_TRANSLATE_NOOP("Engine", "The list of your own models, {a}, cannot be read."),
    QT_TRANSLATE_NOOP("Engine", "Correct or remove it."),
    QT_TRANSLATE_NOOP("Engine", "{a} was written by a newer version of this program."),
    # What the models are for and want (resources/models.json).
    QT_TRANSLATE_NOOP(
        "Engine", "Ships with the program and runs anywhere: coloured shapes in motion at 128x128."
    ),
    QT_TRANSLATE_NOOP(
        "Engine",
        "The pocket model with guidance at full cost: for comparing with the distilled one.",
    ),
    QT_TRANSLATE_NOOP(
        "Engine", "The pocket model in 8-bit numbers, made on this machine: for trying out fp8."
    ),
    QT_TRANSLATE_NOOP(
        "Engine",
        "The small released model, undistilled: best with 64 steps and three passes each.",
    ),
    QT_TRANSLATE_NOOP(
        "Engine", "The small released model, distilled: few steps and one pass each."
    ),
    QT_TRANSLATE_NOOP(
        "Engine", "The small released model, distilled and in fp8: needs the least memory."
    ),
    QT_TRANSLATE_NOOP(
        "Engine", "The large released model, undistilled: the best quality, and by far the slowest."
    ),
    QT_TRANSLATE_NOOP(
        "Engine", "The large released model, distilled: its quality in a fraction of the time."
    ),
    QT_TRANSLATE_NOOP("Engine", "The large released model, distilled and in fp8: half the memory."),
    QT_TRANSLATE_NOOP(
        "Engine",
        "The small undistilled model in 8-bit numbers, made on this machine: "
        "about half the memory.",
    ),
    QT_TRANSLATE_NOOP(
        "Engine",
        "The small distilled model in 8-bit numbers, made on this machine: "
        "needs no second download.",
    ),
    QT_TRANSLATE_NOOP(
        "Engine",
        "The large undistilled model in 8-bit numbers, made on this machine: "
        "about half the memory.",
    ),
    QT_TRANSLATE_NOOP(
        "Engine",
        "The large distilled model in 8-bit numbers, made on this machine: "
        "needs no second download.",
    ),
    QT_TRANSLATE_NOOP("Engine", "Any computer."),
    QT_TRANSLATE_NOOP("Engine", "Any computer; faster on graphics cards that compute in fp8."),
    QT_TRANSLATE_NOOP(
        "Engine",
        "A graphics card with 16 GB; 8 GB are enough if parts of it wait in memory.",
    ),
    QT_TRANSLATE_NOOP(
        "Engine",
        "A graphics card with 12 GB and fp8; 8 GB are enough if parts of it wait in memory.",
    ),
    QT_TRANSLATE_NOOP(
        "Engine",
        "A graphics card with 80 GB, or one with 24 GB and 64 GB of memory.",
    ),
    QT_TRANSLATE_NOOP(
        "Engine",
        "A graphics card with 32 GB that computes in fp8, or one with 24 GB and 32 GB of memory.",
    ),
)
"""Everything that is translated; braces stand for what the engine fills in."""


def translated(sentence: str) -> str:
    """A sentence of the engine in the window's language, or as it is if it is not known."""
    for pattern, template in _patterns():
        match = pattern.fullmatch(sentence)
        if match is not None:
            return QCoreApplication.translate("Engine", template).format(**match.groupdict())
    return sentence


def translated_error(error: MagiError) -> MagiError:
    """A copy of an error whose message and hint are in the window's language."""
    result = copy.copy(error)
    result.message, result.hint = translated(error.message), translated(error.hint)
    return result


@lru_cache(maxsize=1)
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """What each sentence looks like when it is filled in; those with the most text first."""
    by_text = sorted(map(str, SENTENCES), key=lambda s: len(re.sub(r"\{\w\}", "", s)), reverse=True)
    return [
        (re.compile(re.sub(r"\\\{(\w)\\\}", r"(?P<\1>.+?)", re.escape(s)), re.DOTALL), s)
        for s in by_text
    ]

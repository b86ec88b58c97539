"""`SavedState`: where the files of Keras keep what an optimizer remembers of the tables of a layer."""

from __future__ import annotations

from typing import Any

import keras

from fastembed_layer.keras.row_trainer import RowTrainer


class SavedState(keras.layers.Layer):
    """A part of a layer without weights, with an entry of its own in files.

    The layer's own entry holds the table and nothing else, as that of ``keras.layers.Embedding``.

    Parameters
    ----------
    trainer : RowTrainer
        Whose state it is.
    """

    def __init__(self, trainer: RowTrainer):
        super().__init__(name="row_state")
        self._trainer = trainer
        self.built = True

    def save_own_variables(self, store: Any) -> None:
        """Write slots and counters."""
        self._trainer.save_state(store)

    def load_own_variables(self, store: Any) -> None:
        """Read them; files of stock layers have none."""
        self._trainer.load_state(store)

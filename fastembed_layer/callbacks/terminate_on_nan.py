"""`TerminateOnNaN`: end a training whose loss is no number any more."""

from __future__ import annotations

import math

from fastembed_layer.callbacks.callback import Callback, Logs


class TerminateOnNaN(Callback):
    """Ends the training when the loss is NaN or infinite.

    Parameters
    ----------
    raise_error : bool
        Whether a `RuntimeError` is raised instead, which skips the ``on_train_end`` of all callbacks.

    Examples
    --------
    >>> from fastembed_layer import callbacks
    >>> try:
    ...     callbacks.TerminateOnNaN(raise_error=True).on_batch_end(3, {"loss": float("inf")})
    ... except RuntimeError as error:
    ...     print(error)
    NaN or Inf loss encountered at batch 3. Loss value: inf. Terminating training immediately.
    """

    def __init__(self, raise_error: bool = False):
        super().__init__()
        self.raise_error = raise_error

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Look at the loss."""
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(
                f"NaN or Inf loss encountered at batch {batch}. Loss value: {loss}. Terminating training immediately."
            )
        print(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True

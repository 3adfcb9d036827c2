"""Why a call gave a NaN or an infinity: the op that made the first, for people."""

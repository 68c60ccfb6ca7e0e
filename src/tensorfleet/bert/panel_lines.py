"""The twelve sentences of the BERT explorable, written for it."""

LINES = (
    "The keeper lights the lamp at dusk.",
    "She counts the ships that pass the rocks.",
    "One ship keeps too close to the shore.",
    "The keeper turns the lamp towards the ship.",
    "Its captain sees the light and turns away.",
    "The rocks keep nothing that night.",
    "At dawn the keeper puts out the lamp.",
    "She writes the count of ships in her book.",
    "The captain writes a letter to the keeper.",
    "It says that the light kept seven sailors dry.",
    "The keeper reads it twice and lights the lamp.",
    "Her lighting of the lamp is later every summer.",
)

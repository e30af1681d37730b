"""Reuters-21578: news of one topic each, in the split of Apté."""

import gzip
import html
import re
import tarfile
import urllib.request
import zlib
from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np

from codeword.datasets.folders import FOLDER_VARIABLE, data_folder
from codeword.errors import TableFileError
from data_sets.text_set import TextSet

_NAME = "reuters21578.tar.gz"
_HOME = "https://kdd.ics.uci.edu/databases/reuters21578/"
_TIMEOUT_SECONDS = 60
_ARTICLE = re.compile(r"<REUTERS(.*?)>(.*?)</REUTERS>", re.DOTALL)
_TOPICS = re.compile(r"<TOPICS>(.*?)</TOPICS>", re.DOTALL)
_TEXT = re.compile(r"<TEXT.*?>(.*?)</TEXT>", re.DOTALL)


def load_reuters(folder: str | Path | None = None, *, num_topics: int = 20) -> TextSet:
    """Loads the articles that have exactly one topic, one of the largest, split as by Apté (ModApte).

    Args:
        folder: Holds `reuters21578.tar.gz`. None: `reuters21578` in the folder that the environment variable
            CODEWORD_DATA names; if that is not set, the file is read from its home at UCI.
        num_topics: Topics with the most training articles that are kept, the largest first.

    Raises:
        FileNotFoundError: If the file is missing, or its home out of reach.
        TableFileError: If it is damaged.

    Source:
        Lewis, "Reuters-21578 Text Categorization Test Collection", 1997.
    """
    content = _content(data_folder("reuters21578", folder))
    found: dict[str, list[tuple[str, str]]] = {"TRAIN": [], "TEST": []}
    try:
        # Decompressed first: a damaged archive fails its checksum, where tarfile would just end early.
        with tarfile.open(fileobj=BytesIO(gzip.decompress(content))) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.name.endswith(".sgm") else None
                if file is not None:
                    _collect(file.read().decode("latin-1"), found)
    except (tarfile.TarError, zlib.error, OSError, EOFError) as error:
        raise TableFileError(f"{_NAME} must be the published archive: got {error}. Fetch it again.") from error
    if not all(found.values()):
        raise TableFileError(f"{_NAME} must hold articles to train and to test: got none. Fetch it again.")
    names = tuple(topic for topic, _ in Counter(topic for topic, _ in found["TRAIN"]).most_common(num_topics))
    kept = {part: [pair for pair in pairs if pair[0] in names] for part, pairs in found.items()}
    texts = {part: [text for _, text in pairs] for part, pairs in kept.items()}
    labels = {part: np.array([names.index(topic) for topic, _ in pairs], np.int64) for part, pairs in kept.items()}
    return TextSet(texts["TRAIN"], labels["TRAIN"], texts["TEST"], labels["TEST"], names)


def _collect(sgml: str, found: dict[str, list[tuple[str, str]]]) -> None:
    for attributes, body in _ARTICLE.findall(sgml):
        split = re.search(r'LEWISSPLIT="(TRAIN|TEST)"', attributes)
        listed, text = _TOPICS.search(body), _TEXT.search(body)
        topics = re.findall(r"<D>(.*?)</D>", listed.group(1)) if listed else []
        if split and text and len(topics) == 1 and 'TOPICS="YES"' in attributes:
            found[split.group(1)].append((topics[0], html.unescape(re.sub(r"<.*?>", " ", text.group(1)))))


def _content(folder: Path | None) -> bytes:
    if folder is not None:
        if not (folder / _NAME).is_file():
            raise FileNotFoundError(
                f"{folder} must hold {_NAME}: got no such file. Set {FOLDER_VARIABLE} to the folder above, or "
                "pass folder=."
            )
        return (folder / _NAME).read_bytes()
    try:
        with urllib.request.urlopen(_HOME + _NAME, timeout=_TIMEOUT_SECONDS) as answer:
            return bytes(answer.read())
    except OSError as error:
        raise FileNotFoundError(
            f"{_NAME} must be in a folder or in reach of a download: got {error}. Set {FOLDER_VARIABLE} to a "
            f"folder that holds reuters21578/{_NAME}."
        ) from error

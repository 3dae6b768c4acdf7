from secondread.reasons import Reason


def test_every_reason_has_a_sentence_in_ascii() -> None:
    for reason in Reason:
        assert reason.sentence
        assert reason.sentence.isascii()

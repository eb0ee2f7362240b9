"""The printed record, read back with the library that draws PDF pages for the portal."""

from __future__ import annotations

import io
import re

import pikepdf
import pypdfium2
import pytest

from tests.cast import household, member
from tests.households.record.conftest import HOSTILE, fill, record


def printed(one, **how):
    from households.record.typesetting import record_pdf

    return record_pdf(record(one, **how))


def pages_of(pdf: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(pdf)
    texts = [page.get_textpage().get_text_bounded() for page in document]
    document.close()
    # Places where a long word may break are no letters.
    return [" ".join(text.replace("\u200b", "").replace("\ufffe", "").split()) for text in texts]


def test_says_it_all(cast, rich):
    whole = " ".join(pages_of(printed(cast.mia)))
    for words in (
        *["Health record of Mia Rivera", "born 2016/04/27", "Preferred name Mimi"],
        *["Elena Rivera", "Blue Hills Health", "Penicillin", "Vitamin D", "Asthma"],
        *["Tonsils taken out", "Hospital stay: Pneumonia", "Mother's mother", "MMR", "Eye exam"],
        *["Tobacco", "Dr. Lung", "Run a mile", "card.png"],
        "Reported by Elena Rivera (a parent or guardian), 2026/11/20. Confirmed by the practice.",
    ):
        assert words in whole, words
    order = [
        whole.index(title) for title in ("Personal details", "Insurance", "Allergies", "Documents")
    ]
    assert order == sorted(order)


def test_every_page_says_whose_it_is(cast, rich):
    from households.models import Practice

    Practice.objects.update_or_create(pk=1, defaults={"name": "Harbor Family Medicine"})
    pages = pages_of(printed(cast.mia))
    assert len(pages) > 2
    for number, page in enumerate(pages, 1):
        assert "Mia Rivera" in page
        assert "born 2016/04/27" in page
        assert f"Page {number} of {len(pages)}" in page
        assert "Harbor Family Medicine" in page
        assert re.search(r"Made \d{4}/\d\d/\d\d, \d\d:\d\d", page)


def test_none_known_not_sure_and_not_asked(cast, none_known):
    from households.history.models import SectionState

    none, not_asked = " ".join(pages_of(printed(cast.leo))), " ".join(pages_of(printed(cast.elena)))
    assert none.count("None known") == 13
    assert "Not asked" not in none
    assert not_asked.count("Not asked") == 12  # she is too old for birth and development
    assert "None known" not in not_asked
    SectionState.objects.for_member(cast.leo).update(answer="not-sure")
    assert " ".join(pages_of(printed(cast.leo))).count("Not sure") == 13


def test_says_what_is_left_out(cast, rich):
    from households.history.models import SectionSetting

    SectionSetting.objects.update(is_private=False)
    SectionSetting.objects.filter(section="wellbeing").update(is_private=True)
    whole = " ".join(pages_of(printed(cast.mia, for_login=cast.rivera)))
    assert "keeps these topics private: Mental wellbeing." in whole
    assert "Left out" not in " ".join(pages_of(printed(cast.mia)))


def test_is_tagged_titled_and_on_letter_paper(cast, rich):
    with pikepdf.open(io.BytesIO(printed(cast.mia))) as pdf:
        assert pdf.Root.MarkInfo.Marked
        assert str(pdf.Root.Lang) == "en"
        with pdf.open_metadata() as metadata:
            assert metadata["dc:title"] == "Health record of Mia Rivera"
            assert metadata["pdfuaid:part"] == "1"
        assert [float(side) for side in pdf.pages[0].MediaBox] == [0, 0, 612, 792]


@pytest.mark.parametrize(
    "name", ["Nguyễn Thị Ánh", "Łukasz Żółć", "Ελένη Παπαδοπούλου", "Ольга Їжакевич"]
)
def test_names_of_many_alphabets(cast, name):
    first, _, last = name.partition(" ")
    one = member(first, last, "2001/01/01", "names@example.org")
    (page, *_more) = pages_of(printed(one))
    assert f"Health record of {name}" in page
    assert "no font" not in page


def test_a_letter_without_a_font_is_told_of_and_the_file_comes_out(cast, rich):
    rich["goal"].text = "See \U0001f9b7 and \uf8ff"  # the second one is nobody's letter
    rich["goal"].save()
    whole = " ".join(pages_of(printed(cast.mia)))
    assert "Some letters in this file have no font" in whole
    assert "Penicillin" in whole


def test_hostile_text_is_text_and_stays_on_the_page(cast):
    strange = member(
        "<b>Mia</b>",
        "#panic()" + "N" * 150,
        "2001/01/01",
        "strange@example.org",
        preferred_name="{{7*7}}",
    )
    fill(strange, household("strange@example.org"), cast.nurse_staff, HOSTILE)
    pdf = printed(strange)
    whole = " ".join(pages_of(pdf))
    assert "Health record of <b>Mia</b> #panic()N" in whole
    assert "Substance: #panic() {{7*7}} <script>alert(1)</script> $x$ *b*" in whole
    assert "Preferred name {{7*7}}" in whole
    assert "49" not in whole
    for page in pypdfium2.PdfDocument(pdf):
        text = page.get_textpage()
        boxes = [text.get_charbox(at) for at in range(text.count_chars())]
        assert max(right for _left, _bottom, right, _top in boxes) < 612 - 50
        assert min(bottom for _left, bottom, _right, _top in boxes) > 20


def test_data_of_one_record_is_not_in_the_next(cast, rich):
    printed(cast.mia)
    assert b"Penicillin" not in printed(cast.elena)
    assert "Mia" not in " ".join(pages_of(printed(cast.elena)))

"""`findings.json`: the order of findings, and the words for what they are."""

from pathlib import Path

from secondread.offline.findings_document import encode_findings
from secondread.offline.input_files import InputFiles
from secondread.offline.reading_plan import ReadingPlan
from tests.unit.report.followed import make_described_study


def test_findings_have_the_order_of_the_exam_and_their_words() -> None:
    reading, headers = make_described_study()
    images = {image.sop_instance_uid: image.mammogram for image in reading.images}
    files = InputFiles({reading.study_uid: dict.fromkeys(images, Path("x"))}, headers, images, ())
    document = encode_findings(files, [reading], ReadingPlan((reading.study_uid,), {}))

    (study,) = document["studies"]
    assert document["schema_version"] == 2
    assert (study["shown"], study["priority"]) == (["LCC-1", "RCC-1"], 31.3)
    findings = {f["id"]: f for image in document["images"] for f in image["findings"]}
    assert findings["LCC-1"]["type_words"] == "punctate 44 %, fine pleomorphic 43 %"
    assert findings["LCC-1"]["morphology"] == [["punctate", 0.44], ["fine_pleomorphic", 0.43]]
    assert findings["RCC-1"]["type_words"] == "type uncertain"
    assert findings["RCC-1"]["distribution_words"] == "grouped"

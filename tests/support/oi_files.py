"""Small metadata folders in the releases' own format."""

from __future__ import annotations

from pathlib import Path

IMAGES = (
    "ImageID,Subset,OriginalURL,OriginalLandingURL,License,AuthorProfileURL,Author,Title,OriginalSize,OriginalMD5,"
    "Thumbnail300KURL,Rotation"
)
LABELS = "ImageID,Source,LabelName,Confidence"
BOXES = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
CLICKS = ",XClick1X,XClick2X,XClick3X,XClick4X,XClick1Y,XClick2Y,XClick3Y,XClick4Y"
PERSON, MAN, FOOT, LAPTOP = "/m/01g317", "/m/04yx4", "/m/031n1", "/m/01c648"
CC_BY = "https://creativecommons.org/licenses/by/2.0/"


def image_row(image: str, title: str = "plain", rotation: str = "0.0", split: str = "train") -> str:
    quoted = '"' + title.replace('"', '""') + '"' if set(title) & set(',"\n') else title
    return (
        f"{image},{split},https://f.example/{image}_o.jpg,https://f.example/photos/{image},{CC_BY},"
        f"https://f.example/people/x/,Some One,{quoted},4405052,KFukvivpCM5QXl5SqKe41g==,,{rotation}"
    )


def box_row(image: str, mid: str = PERSON, flags: str = "0,0,0,0,0", source: str = "xclick") -> str:
    return f"{image},{source},{mid},1,0.1,0.2,0.3,0.4,{flags}"


def write(folder: Path, files: dict[str, list[str]]) -> Path:
    for name, lines in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(("\n".join(lines) + "\n").encode())
    return folder

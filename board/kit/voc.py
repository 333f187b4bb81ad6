# Pascal VOC annotations: text of one picture's XML, and the little that is read back from one.


def voc_label(text):
    # A class name as labels.txt and XML can hold it: readers split labels.txt on white space.
    letters = [c if " " <= c <= "~" else "?" for c in text.replace("\t", " ")]
    return "_".join("".join(letters).split())


def xml_text(text):
    for sign, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, name)
    return text


def voc_xml(filename, width, height, objects):
    # objects: (label, xmin, ymin, xmax, ymax), counted from 1, the last column and row included.
    # A picture with nothing on it has no <object>. The path is relative: the folder may move.
    name = xml_text(filename)
    rows = [
        "<annotation>",
        "  <folder>images</folder>",
        "  <filename>%s</filename>" % name,
        "  <path>images/%s</path>" % name,
        "  <source><database>MaixForge</database></source>",
        "  <size><width>%d</width><height>%d</height><depth>3</depth></size>" % (width, height),
        "  <segmented>0</segmented>",
    ]
    for label, xmin, ymin, xmax, ymax in objects:
        rows += [
            "  <object>",
            "    <name>%s</name>" % xml_text(label),
            "    <pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>",
            "    <bndbox><xmin>%d</xmin><ymin>%d</ymin><xmax>%d</xmax><ymax>%d</ymax></bndbox>"
            % (xmin, ymin, xmax, ymax),
            "  </object>",
        ]
    return "\n".join(rows) + "\n</annotation>\n"


def voc_labels(text):
    # The labels of the objects of such a text, in order; None when the text has no end.
    if "</annotation>" not in text:
        return None
    found = []
    for part in text.split("<object>")[1:]:
        name = part[part.find("<name>") + 6 : part.find("</name>")]
        for sign, written in (("<", "&lt;"), (">", "&gt;"), ("&", "&amp;")):
            name = name.replace(written, sign)
        found.append(name)
    return found

"""Messages of host/kmodel."""

from ..message import N_, Message

MESSAGES: dict[str, Message] = {
    "kmodel_wrong_version": Message(
        what=N_("This file is not a kmodel V3."),
        found=N_("{found}"),
        needed=N_("a kmodel V3: its first four bytes are 03 00 00 00"),
        fix=N_("Convert the model again with MaixForge; stock MaixPy loads kmodel V3 everywhere."),
    ),
    "kmodel_damaged": Message(
        what=N_("The kmodel is damaged at {where}."),
        found=N_("{found}"),
        needed=N_("a whole file as the converter wrote it"),
        fix=N_("Copy the file again, or convert the model again."),
    ),
    "kmodel_unsafe": Message(
        what=N_("The kmodel would crash the board at {where}."),
        found=N_("{found}"),
        needed=N_("layers that stay inside the memory that the file asks for"),
        fix=N_("Do not put this file on a board; convert the model again."),
    ),
    "kmodel_picture_size": Message(
        what=N_("The picture does not have the size that the model was made for."),
        found=N_("{found}"),
        needed=N_("{needed}"),
        fix=N_("Bring the picture to that size first; MaixForge does so when it reads files."),
    ),
    "kmodel_no_picture_input": Message(
        what=N_("The kmodel does not begin with a picture."),
        found=N_("first layer {found}"),
        needed=N_("a convolution as the first layer"),
        fix=N_("Simulate a model whose input is a picture."),
    ),
    "kmodel_layer_unsupported": Message(
        what=N_("The kmodel has a layer that the simulator does not run: {where}."),
        found=N_("layer type {found}"),
        needed=N_("layers as MaixForge and nncase 0.1 write them"),
        fix=N_("Convert the model with MaixForge, or try it on a board."),
    ),
    "kmodel_operation_unsupported": Message(
        what=N_("The K210 cannot run layer {path} as it is."),
        found=N_("{found}"),
        needed=N_("{needed}"),
        fix=N_("Change this layer in the network and train again."),
    ),
    "kmodel_same_stride": Message(
        what=N_("Layer {path} has stride 2 with padding='same', which the K210 cannot do."),
        found=N_("padding='same' on {found}, which pads right and bottom only"),
        needed=N_("the same padding on all sides"),
        fix=N_("Use ZeroPadding2D(1) and padding='valid', and train (or fine-tune) again."),
    ),
    "kmodel_range": Message(
        what=N_("The numbers of layer {path} are too large for the KPU."),
        found=N_("{found}"),
        needed=N_("weights and biases of ordinary size"),
        fix=N_("Train with weight decay or batch norm, then convert again."),
    ),
    "kmodel_kpu_ram": Message(
        what=N_("Layer {path} does not fit the KPU's memory."),
        found=N_("{lines} lines of 64 bytes for its input and output together"),
        needed=N_("at most {limit} lines (2 MiB)"),
        fix=N_("Use a smaller input picture or fewer channels."),
    ),
}

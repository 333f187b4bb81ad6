"""The catalogue of messages, one module a room: code to `Message`, in English."""

"""Where frames come from: video files, folders of images, network cameras and USB cameras.

Read :mod:`pipeline.sources.select` for how text becomes a source, :mod:`pipeline.sources.opening`
for how a source is opened. Behind them:

- ``file``, ``folder``: recorded footage; every frame is delivered, at the consumer's pace.
- ``live`` over a ``stream`` (RTSP, HTTP) or ``usb`` connection: ``capture`` keeps reconnecting,
  only the newest frames are kept.
- ``paired``: a camera's substream to detect on with its main stream to cut faces from.
- ``tap``, ``tapped``: where somebody listens who keeps footage.
- ``masked``, ``pace``: wrappers that black out private areas, and play files in real time.
"""

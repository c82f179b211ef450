"""An upstream of FastAPI, as people write one before a model of their own."""

from fastapi import FastAPI, Request, Response

app = FastAPI()
v1 = FastAPI()
app.mount("/api/v3", v1)


@v1.get("/models/")
async def models():
    return {"object": "list", "data": []}


@v1.post("/chat/completions")
async def chat(request: Request):
    return {"id": "chatcmpl-1", "object": "chat.completion", "model": (await request.json())["model"]}


@v1.post("/files")
async def files():
    """Refuses an upload without reading it."""
    return Response('{"error": {"message": "too large"}}', 413, media_type="application/json")
